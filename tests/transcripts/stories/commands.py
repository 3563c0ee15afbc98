"""Edits, deletions, reactions and other commands of the program."""

from ..story import (
    BOB,
    CAROL,
    TEA,
    UNAVAILABLE,
    Chapter,
    Story,
    deleted,
    edited,
    error,
    message,
    missed,
    private,
    reacted,
)

CHAPTER = Chapter()
rule = CHAPTER.rule

CHANGES = "docs/clients.md, The surface: changes a message; awaited for the answer"
REPEATED = "docs/clients.md, Messages 6: Edits, deletions and reactions have a key and are repeated as messages are"
CALL = "docs/clients.md, The surface: `call` sends any other command and returns its answer without `ok`"
KEYED = "docs/clients.md, Messages 6: A command of `call` is repeated where it has a `key`"
WITHOUT_KEY = "docs/clients.md, Messages 6: another one fails with any error, and with `unavailable` if the connection breaks before its answer"
WAITS = "docs/clients.md, Messages 6: Without a connection it waits for one"
PAUSE = (
    "docs/clients.md, Messages 5: After a temporary error, the room's commands wait, and go out again in their order"
)

THUMB = "👍"


def own_message(s: Story) -> None:
    """Be online with a room that shows one message of alice."""
    s.online(private("bob", 1, last=message(BOB, 1, "alice", "mine")))
    s.opened(BOB, 1, [message(BOB, 1, "alice", "mine")])


@rule(CHANGES)
def edit_names_the_version_that_is_shown(s: Story) -> None:
    own_message(s)
    s.do("edit", room=BOB, seq=1, body="better")
    label = s.out("message.edit", {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"})
    s.shows(BOB, {"seq": 1, "body": "mine"})
    s.answer(label, {"seq": 2, "version": 2, "duplicate": False})
    s.result({"seq": 2, "version": 2})
    s.entry(edited(BOB, 2, 1, "better", author="alice"))
    s.shows(BOB, {"seq": 1, "body": "better", "version": 2})


@rule(CHANGES)
def second_edit_names_the_new_version(s: Story) -> None:
    own_message(s)
    s.entry(edited(BOB, 2, 1, "better", author="alice"))
    s.do("edit", room=BOB, seq=1, body="best")
    s.out("message.edit", {"room": BOB, "seq": 1, "version": 2, "body": "best", "key": "$k1"})


@rule(CHANGES)
def refused_edit_is_an_error_of_its_call(s: Story) -> None:
    own_message(s)
    s.do("edit", room=BOB, seq=1, body="better")
    label = s.out("message.edit", {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"})
    s.refuse(label, error("conflict"))
    s.fails("conflict")
    s.shows(BOB, {"seq": 1, "body": "mine", "state": "sent", "error": None})


@rule(REPEATED)
def edit_is_repeated_with_its_key_after_a_break(s: Story) -> None:
    own_message(s)
    s.do("edit", room=BOB, seq=1, body="better")
    edit = {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"}
    s.out("message.edit", edit)
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    label = s.out("message.edit", edit)
    s.answer(label, {"seq": 2, "version": 2, "duplicate": True})
    s.result({"seq": 2, "duplicate": True})


@rule(REPEATED, PAUSE)
def edit_is_repeated_after_a_temporary_error(s: Story) -> None:
    own_message(s)
    s.do("edit", room=BOB, seq=1, body="better")
    edit = {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"}
    s.refuse(s.out("message.edit", edit), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    s.out("message.edit", edit)


@rule(PAUSE)
def message_behind_an_edit_that_waits_waits_too(s: Story) -> None:
    own_message(s)
    s.do("edit", room=BOB, seq=1, body="better")
    edit = {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"}
    s.refuse(s.out("message.edit", edit), UNAVAILABLE)
    s.do("send", room=BOB, body="see above")
    s.wait(99)
    s.wait(1)
    s.answer(s.out("message.edit", edit), {"seq": 2, "version": 2, "duplicate": False})
    s.asks_send(BOB, "see above", "k2")


@rule(CHANGES)
def deletion_has_a_key(s: Story) -> None:
    own_message(s)
    s.do("delete", room=BOB, seq=1)
    label = s.out("message.delete", {"room": BOB, "seq": 1, "key": "$k1"})
    s.answer(label, {"seq": 2, "duplicate": False})
    s.result({"seq": 2})
    gone = deleted(BOB, 2, 1, author="alice")
    s.entry(gone)
    s.answer(s.out("room.get", {"room": BOB}), private("bob", 2, last=gone))
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None})


@rule(REPEATED)
def deletion_is_repeated_with_its_key_after_a_break(s: Story) -> None:
    own_message(s)
    s.do("delete", room=BOB, seq=1)
    s.out("message.delete", {"room": BOB, "seq": 1, "key": "$k1"})
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    s.out("message.delete", {"room": BOB, "seq": 1, "key": "$k1"})


@rule(CHANGES)
def refused_deletion_is_an_error_of_its_call(s: Story) -> None:
    own_message(s)
    s.do("delete", room=BOB, seq=1)
    s.refuse(s.out("message.delete", {"room": BOB, "seq": 1, "key": "$k1"}), error("forbidden"))
    s.fails("forbidden")


@rule(CHANGES)
def reaction_has_a_key(s: Story) -> None:
    own_message(s)
    s.do("react", room=BOB, seq=1, emoji=THUMB, on=True)
    label = s.out("message.react", {"room": BOB, "seq": 1, "emoji": THUMB, "on": True, "key": "$k1"})
    s.answer(label, {"seq": 2, "duplicate": False})
    s.result({"seq": 2})
    s.entry(reacted(BOB, 2, 1, THUMB, author="alice"))
    s.shows(BOB, {"seq": 1, "reactions": {THUMB: {"count": 1, "users": ["alice"]}}})


@rule(CHANGES)
def reaction_is_taken_back_with_on_false(s: Story) -> None:
    own_message(s)
    s.do("react", room=BOB, seq=1, emoji=THUMB, on=False)
    label = s.out("message.react", {"room": BOB, "seq": 1, "emoji": THUMB, "on": False, "key": "$k1"})
    s.answer(label, {"duplicate": False})
    s.result({"duplicate": False})


@rule(REPEATED)
def changes_and_messages_are_repeated_in_their_order(s: Story) -> None:
    own_message(s)
    s.do("react", room=BOB, seq=1, emoji=THUMB, on=True)
    react = {"room": BOB, "seq": 1, "emoji": THUMB, "on": True, "key": "$k1"}
    s.out("message.react", react)
    s.do("send", room=BOB, body="hi")
    s.do("edit", room=BOB, seq=1, body="better")
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    s.answer(s.out("message.react", react), {"seq": 2, "duplicate": False})
    s.sent(s.asks_send(BOB, "hi", "k2"), BOB, 3)
    s.out("message.edit", {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k3"})


@rule(REPEATED, WAITS)
def reaction_while_offline_waits_for_the_connection(s: Story) -> None:
    own_message(s)
    s.breaks()
    s.do("react", room=BOB, seq=1, emoji=THUMB, on=True)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 1))
    s.asks_sync({BOB: 1})
    s.out("message.react", {"room": BOB, "seq": 1, "emoji": THUMB, "on": True, "key": "$k1"})


@rule(CALL)
def call_returns_the_answer_without_ok(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="people", data={"prefix": "bo"})
    s.answer(s.out("people", {"prefix": "bo"}), {"people": [{"user": "bob", "name": "Bob B."}]})
    s.result({"people": [{"user": "bob", "name": "Bob B."}], "ok": None})


@rule(CALL)
def refused_call_raises_its_error(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="room.get", data={"room": CAROL})
    s.refuse(s.out("room.get", {"room": CAROL}), error("not_found"))
    s.fails("not_found")


@rule(CALL)
def two_calls_are_answered_in_any_order(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="people", data={"prefix": "bo"}, **{"as": "first"})
    first = s.out("people", {"prefix": "bo"})
    s.do("call", event="blocks", data={}, **{"as": "second"})
    second = s.out("blocks", {})
    s.answer(second, {"users": ["carol"]})
    s.result({"users": ["carol"]}, of="second")
    s.result(None, of="first")
    s.answer(first, {"people": []})
    s.result({"people": []}, of="first")


@rule(KEYED)
def call_with_a_key_is_repeated_after_a_break(s: Story) -> None:
    s.online(private("bob", 1))
    create = {"kind": "group", "title": "Tea", "key": "the program's key"}
    s.do("call", event="room.create", data=create)
    s.out("room.create", create)
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    label = s.out("room.create", create)
    s.result(None)
    s.refuse(label, error("rate_limited", temporary=True, retry_after_ms=50))
    s.wait(50)
    s.out("room.create", create)


@rule(KEYED)
def call_with_a_key_is_repeated_after_a_temporary_error(s: Story) -> None:
    s.online(private("bob", 1))
    update = {"room": TEA, "title": "Tea at five", "key": "the program's key"}
    s.do("call", event="room.update", data=update)
    s.refuse(s.out("room.update", update), error("rate_limited", temporary=True, retry_after_ms=400))
    s.wait(399)
    s.wait(1)
    s.answer(s.out("room.update", update), {"seq": 2, "duplicate": False})
    s.result({"seq": 2})


@rule(WITHOUT_KEY)
def call_without_a_key_fails_with_the_break(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="people", data={"prefix": "bo"})
    s.out("people", {"prefix": "bo"})
    s.breaks()
    s.fails("unavailable")
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 1))
    s.asks_sync({BOB: 1})


@rule(WITHOUT_KEY)
def call_without_a_key_fails_with_a_temporary_error(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="people", data={"prefix": "bo"})
    s.refuse(s.out("people", {"prefix": "bo"}), UNAVAILABLE)
    s.fails("unavailable")
    s.wait(10_000)


@rule(WAITS)
def call_while_offline_waits_for_the_connection(s: Story) -> None:
    s.online(private("bob", 1))
    s.breaks()
    s.do("call", event="people", data={"prefix": "bo"})
    s.result(None)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 1))
    sync = s.asks_sync({BOB: 1})
    label = s.out("people", {"prefix": "bo"})
    s.synced(sync, {BOB: missed(1)})
    s.answer(label, {"people": []})
    s.result({"people": []})


@rule(WITHOUT_KEY, "docs/clients.md, Connection 3")
def call_without_an_answer_fails_with_its_connection(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="people", data={"prefix": "bo"})
    s.out("people", {"prefix": "bo"})
    s.wait(10_000)
    s.closes()
    s.fails("unavailable")


@rule(CALL, "docs/protocol.md, An unknown event is `invalid`")
def call_of_an_unknown_command_is_sent_all_the_same(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="applause", data={"users": ["bob"]})
    s.refuse(s.out("applause", {"users": ["bob"]}), error("invalid"))
    s.fails("invalid")
