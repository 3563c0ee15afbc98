"""Resuming after a break: `sync`, and what each of its answers means."""

from ..story import (
    BOB,
    CAROL,
    GONE,
    TEA,
    UNAVAILABLE,
    Chapter,
    Story,
    deleted,
    edited,
    entry,
    error,
    group,
    invitation,
    me,
    message,
    messages,
    missed,
    private,
    pushed,
    shown,
    stub,
)

CHAPTER = Chapter()
rule = CHAPTER.rule

SYNC = "docs/clients.md, Connection 6: Then it sends `sync` with the cursors of its rooms"
CURSOR = (
    "docs/protocol.md, What a client keeps: a cursor, the seq up to which the client has everything, and the `epoch`"
)
DROPS = "docs/protocol.md, Connect and resume 1: until the answer of the `sync` that names a room, drop that room's pushes `entry`, `room` and `room.gone`"
EVENTS = "docs/protocol.md, Connect and resume 4, `events`: `entries` are the missing ones: apply them"
ASKED = "docs/clients.md, Rooms 5: After an entry above the Room's `head` that changes members or roles, or is a deletion, the client asks `room.get`"
GAP = "docs/protocol.md, Connect and resume 4, `gap`: page `history`"
RESET = "docs/clients.md, Rooms 6: On `reset` the client drops the room's entries and loads the newest page again if the room is open"
IS_GONE = "docs/clients.md, Rooms 6: On `room.gone` and `gone` it drops the room"
NOT_OPEN = "docs/clients.md, Rooms 2: Of a room that is not open the client keeps its Room and its newest entries, and does not page"
ONE_AT_A_TIME = "docs/clients.md, Connection 7: one command at a time, a `sync` first"
AGAIN = "docs/clients.md, Connection 7: After a temporary error it is asked again, after the pause"
ORDER = "docs/protocol.md, Connect and resume 6: After the answer of `sync`, apply what arrives in the order in which it arrives"
AS_OF = "docs/protocol.md, Apply pushes 5: A Room is as of its `head`"


@rule(SYNC)
def first_connection_asks_no_sync(s: Story) -> None:
    s.online(private("bob", 3), private("carol", 1))
    s.wait(1000)
    s.status("online")


@rule(SYNC, CURSOR)
def second_connection_asks_sync_with_the_heads_of_the_first(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 5))
    s.comes_back(private("bob", 3), group(TEA, "Tea", 5))
    s.synced(s.asks_sync({BOB: 3, TEA: 5}), {BOB: missed(3), TEA: missed(5)})
    s.state({"rooms": [{"room": TEA, "head": 5}, {"room": BOB, "head": 3}]})


@rule(CURSOR)
def cursor_follows_the_pushes(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(message(BOB, 4, "bob", "four"), message(BOB, 5, "bob", "five"))
    s.comes_back(private("bob", 5))
    s.asks_sync({BOB: 5})


@rule(CURSOR, "docs/protocol.md, Apply pushes 1: and still advance their cursor")
def cursor_follows_entries_of_unknown_kind(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(entry(BOB, 4, "confetti", "bob", colours=["red"]))
    s.comes_back(private("bob", 4))
    s.asks_sync({BOB: 4})


@rule(CURSOR, "docs/protocol.md, sync: seq 0 means nothing and omits the epoch")
def cursor_of_a_room_without_entries_has_no_epoch(s: Story) -> None:
    s.online()
    s.push("room", pushed(private("bob", 0)))
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 0})


@rule(CURSOR, EVENTS)
def cursor_follows_the_answer_of_sync(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 5))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(5, messages(BOB, 4, 5))})
    s.comes_back(private("bob", 5))
    s.asks_sync({BOB: 5})


@rule(CURSOR, SYNC)
def break_before_the_answer_of_sync_asks_the_same_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 5))
    s.asks_sync({BOB: 3})
    s.comes_back(private("bob", 6))
    s.asks_sync({BOB: 3})


@rule(SYNC)
def room_that_is_new_in_ready_is_not_in_sync(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("carol", 9), private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(3)})
    s.state({"rooms": [{"room": CAROL, "head": 9}, {"room": BOB, "head": 3}]})


@rule(SYNC)
def room_that_ready_does_not_show_is_in_sync(s: Story) -> None:
    s.online(private("bob", 9), private("carol", 3))
    s.comes_back(private("bob", 9), next="page-2")
    s.synced(s.asks_sync({BOB: 9, CAROL: 3}), {BOB: missed(9), CAROL: missed(4, messages(CAROL, 4, 4, "carol"))})
    s.answer(s.out("rooms", {"after": "page-2"}), {"rooms": [private("carol", 4)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL, "head": 4}]})


@rule(EVENTS)
def missed_messages_are_shown(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 5))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(5, messages(BOB, 4, 5))})
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule(EVENTS, "docs/clients.md, Rooms 5")
def missed_messages_change_the_room(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 5, me=me(unread=5)))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(5, messages(BOB, 4, 5), unread=5)})
    s.state({f"room {BOB}": {"head": 5, "last": {"seq": 5, "body": "message 5"}, "me": {"unread": 5}}})


@rule(AS_OF, EVENTS)
def missed_messages_that_ready_counted_are_not_counted_again(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.comes_back(private("bob", 5, me=me(read=3, unread=2)))
    label = s.asks_sync({BOB: 3})
    s.state({f"room {BOB}": {"head": 5, "me": {"unread": 2}}})
    s.synced(label, {BOB: {**missed(5, messages(BOB, 4, 5)), "me": me(read=3, unread=2)}})
    s.state({f"room {BOB}": {"head": 5, "me": {"unread": 2}}})


@rule(AS_OF, EVENTS)
def messages_after_ready_that_sync_brings_are_counted(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.comes_back(private("bob", 4, me=me(read=3, unread=1)))
    label = s.asks_sync({BOB: 3})
    s.synced(label, {BOB: {**missed(5, messages(BOB, 4, 5)), "me": me(read=3, unread=2)}})
    s.state({f"room {BOB}": {"head": 5, "last": {"seq": 5}, "me": {"unread": 2}}})
    s.entry(message(BOB, 6, "bob", "six"))
    s.state({f"room {BOB}": {"head": 6, "me": {"unread": 3}}})


@rule(EVENTS)
def sync_without_entries_changes_nothing(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(3)})
    s.shows(BOB, *shown(1, 2, 3))


@rule(EVENTS)
def missed_edit_changes_its_message(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, [edited(BOB, 4, 2, "better")])})
    s.shows(
        BOB, {"seq": 1}, {"seq": 2, "body": "better", "version": 2, "edited_at": "2026-01-01T00:04:00.000Z"}, {"seq": 3}
    )


@rule(EVENTS, ASKED)
def missed_deletion_leaves_a_stub(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4, last=deleted(BOB, 4, 2)))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, [deleted(BOB, 4, 2)])})
    s.shows(BOB, {"seq": 1}, {"seq": 2, "deleted": True, "body": None}, {"seq": 3})


@rule(EVENTS, ASKED)
def missed_deletion_that_ready_did_not_know_asks_for_the_room(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, [deleted(BOB, 4, 2)])})
    s.answer(s.out("room.get", {"room": BOB}), private("bob", 4, last=deleted(BOB, 4, 2)))
    s.state({f"room {BOB}": {"head": 4, "last": {"kind": "deleted"}}})


@rule(EVENTS, "docs/protocol.md, Messages in their present state")
def missed_message_that_is_deleted_already_is_a_stub(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 5, last=deleted(BOB, 5, 4)))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(5, [stub(BOB, 4, "bob"), deleted(BOB, 5, 4)])})
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "deleted": True, "body": None, "state": "sent"})


@rule(EVENTS)
def entries_that_the_client_has_are_dropped_from_sync(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, messages(BOB, 2, 4))})
    s.shows(BOB, *shown(1, 2, 3, 4))


@rule(EVENTS, "docs/protocol.md, Messages in their present state: as of the answer's `head`")
def edit_that_the_missed_message_shows_already_is_not_applied_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 6))
    four = message(BOB, 4, "bob", "newest", version=3, edited_at="2026-01-01T00:06:00.000Z")
    entries = [four, edited(BOB, 5, 4, "newer", 2), edited(BOB, 6, 4, "newest", 3)]
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(6, entries)})
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "body": "newest", "version": 3})


@rule(DROPS)
def entry_before_the_answer_of_sync_is_dropped(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4))
    label = s.asks_sync({BOB: 3})
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.shows(BOB, *shown(1, 2, 3))
    s.synced(label, {BOB: missed(5, messages(BOB, 4, 5))})
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule(DROPS)
def entry_before_the_answer_of_sync_does_not_move_the_cursor(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 4))
    s.asks_sync({BOB: 3})
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.comes_back(private("bob", 5))
    s.asks_sync({BOB: 3})


@rule(DROPS)
def room_gone_before_the_answer_of_sync_is_dropped(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.comes_back(group(TEA, "Tea", 3))
    label = s.asks_sync({TEA: 3})
    s.push("room.gone", {"room": TEA})
    s.synced(label, {TEA: missed(3)})
    s.state({"rooms": [{"room": TEA, "head": 3}]})


@rule(DROPS)
def room_before_the_answer_of_sync_is_dropped(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.comes_back(group(TEA, "Tea", 3))
    label = s.asks_sync({TEA: 3})
    s.push("room", pushed(group(TEA, "Tea", 9)))
    s.synced(label, {TEA: missed(3)})
    s.shows(TEA, *shown(1, 2, 3))


@rule(DROPS)
def pushes_of_rooms_that_sync_does_not_name_are_applied_at_once(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 3), private("carol", 1))
    label = s.asks_sync({BOB: 3})
    s.entry(message(CAROL, 2, "carol", "two"))
    s.state({f"room {CAROL}": {"head": 2, "last": {"body": "two"}}})
    s.synced(label, {BOB: missed(3)})


@rule(ORDER)
def entry_after_the_answer_of_sync_is_applied(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, messages(BOB, 4, 4))})
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule("docs/protocol.md, Apply pushes 7: `typing` at any time, also before the answer of `sync`")
def typing_before_the_answer_of_sync_is_shown(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 3))
    s.asks_sync({BOB: 3})
    s.push("typing", {"room": BOB, "users": ["bob"]})
    s.state({f"typists {BOB}": ["bob"]})


@rule(GAP)
def gap_of_an_open_room_is_paged(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 9))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(9, status="gap")})
    s.page(s.asks_page(BOB, 4, 9), BOB, messages(BOB, 4, 9), 9, before=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6, 7, 8, 9))


@rule(GAP, "docs/clients.md, Messages 1: Entries below a gap are shown when the gap is closed")
def messages_below_a_gap_are_hidden_until_it_is_closed(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 9))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(9, status="gap")})
    label = s.asks_page(BOB, 4, 9)
    s.entry(message(BOB, 10, "bob", "message 10"))
    s.shows(BOB, *shown(10))
    s.page(label, BOB, messages(BOB, 4, 9), 10, before=True, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))


@rule(GAP, "docs/clients.md, Rooms 3: Above the oldest entry that was asked for, gaps are paged")
def gap_of_a_room_of_which_nothing_was_lacking_is_paged_whole(s: Story) -> None:
    s.online()
    s.push("room", pushed(private("bob", 0)))
    s.entry(message(BOB, 1, "bob", "message 1"))
    s.do("open", room=BOB)
    s.comes_back(private("bob", 81))
    s.synced(s.asks_sync({BOB: 1}), {BOB: missed(81, status="gap")})
    s.page(s.asks_page(BOB, 2, 81), BOB, messages(BOB, 2, 81), 81, before=True)
    s.shows(BOB, *shown(*range(1, 82)))


@rule(NOT_OPEN, GAP)
def gap_of_a_room_that_is_not_open_is_not_paged(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 900))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(900, status="gap", unread=100)})
    s.wait(1000)
    s.state({f"room {BOB}": {"head": 900, "last": {"seq": 900}, "me": {"unread": 100}}})


@rule(NOT_OPEN, CURSOR)
def cursor_after_a_gap_is_its_head(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 900))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(900, status="gap")})
    s.comes_back(private("bob", 900))
    s.asks_sync({BOB: 900})


@rule(GAP)
def break_while_a_gap_is_paged_loses_nothing(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 9))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(9, status="gap")})
    s.asks_page(BOB, 4, 9)
    s.comes_back(private("bob", 10))
    s.synced(s.asks_sync({BOB: 9}), {BOB: missed(10, messages(BOB, 10, 10))})
    s.page(s.asks_page(BOB, 4, 9), BOB, messages(BOB, 4, 9), 10, before=True, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))


@rule(RESET)
def reset_of_an_open_room_loads_it_anew(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 2, epoch="epoch-2"), epoch="epoch-2")
    s.synced(s.asks_sync({BOB: 3}), {BOB: {**missed(2, status="reset"), "epoch": "epoch-2"}})
    label = s.asks_page(BOB, 1, 2)
    s.shows(BOB)
    other = [message(BOB, 1, "bob", "another one"), message(BOB, 2, "bob", "another two")]
    s.answer(
        label, {"room": BOB, "epoch": "epoch-2", "head": 2, "entries": other, "has_before": False, "has_after": False}
    )
    s.shows(BOB, {"seq": 1, "body": "another one"}, {"seq": 2, "body": "another two"})


@rule(RESET, CURSOR)
def cursor_after_a_reset_has_the_new_epoch(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 2, epoch="epoch-2"), epoch="epoch-2")
    s.synced(s.asks_sync({BOB: 3}), {BOB: {**missed(2, status="reset"), "epoch": "epoch-2"}})
    s.state({f"room {BOB}": {"head": 2, "epoch": "epoch-2"}})
    s.comes_back(private("bob", 2, epoch="epoch-2"), epoch="epoch-2")
    s.out("sync", {"cursors": {BOB: {"seq": 2, "epoch": "epoch-2"}}})


@rule(RESET)
def reset_keeps_what_is_not_sent(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.breaks()
    s.do("send", room=BOB, body="still mine")
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 0, epoch="epoch-2"), epoch="epoch-2")
    sync = s.asks_sync({BOB: 3})
    label = s.asks_send(BOB, "still mine", "k1")
    s.synced(sync, {BOB: {**missed(0, status="reset"), "epoch": "epoch-2"}})
    s.shows(BOB, {"body": "still mine", "state": "sending"})
    s.answer(label, {"room": BOB, "epoch": "epoch-2", "seq": 1, "at": "2026-01-01T00:09:00.000Z", "duplicate": False})
    s.shows(BOB, {"body": "still mine", "state": "sent"})


@rule(RESET)
def cursor_above_the_store_s_head_is_reset_too(s: Story) -> None:
    s.online(private("bob", 9))
    s.opened(BOB, 9)
    s.comes_back(private("bob", 7))
    s.synced(s.asks_sync({BOB: 9}), {BOB: missed(7, status="reset")})
    s.page(s.asks_page(BOB, 1, 7), BOB, messages(BOB, 1, 7), 7, before=False)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6, 7))
    s.state({f"room {BOB}": {"head": 7}})


@rule(IS_GONE)
def room_that_was_left_while_offline_is_gone(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 5))
    s.comes_back(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3, TEA: 5}), {BOB: missed(3), TEA: GONE})
    s.state({"rooms": [{"room": BOB}], f"room {TEA}": None})


@rule(IS_GONE)
def open_room_that_is_gone_shows_nothing(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.comes_back()
    s.synced(s.asks_sync({TEA: 3}), {TEA: GONE})
    s.shows(TEA)
    s.comes_back()
    s.wait(60_000)
    s.status("online")


@rule(
    IS_GONE,
    "docs/clients.md, Rooms 6: After `gone` of a room that the list shows as an invitation, the client asks `room.get`",
)
def removed_and_invited_again_while_offline_is_an_invitation(s: Story) -> None:
    s.online(group(TEA, "Tea", 5))
    s.comes_back(invitation(TEA, "Tea", 7))
    s.synced(s.asks_sync({TEA: 5}), {TEA: GONE})
    s.answer(s.out("room.get", {"room": TEA}), invitation(TEA, "Tea", 7))
    s.state({"rooms": [{"room": TEA, "me": {"state": "invited"}, "last": None}]})


@rule(ONE_AT_A_TIME)
def sync_comes_before_the_pages_of_rooms(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 3), next="page-2")
    label = s.asks_sync({BOB: 3})
    s.wait(100)
    s.synced(label, {BOB: missed(3)})
    s.out("rooms", {"after": "page-2"})


@rule(ONE_AT_A_TIME, "docs/clients.md, Connection 6: without waiting for the answer, what has no answer yet")
def unanswered_commands_do_not_wait_for_sync(s: Story) -> None:
    s.online(private("bob", 3))
    s.sends(BOB, "hi", "k1")
    s.comes_back(private("bob", 3))
    s.asks_sync({BOB: 3})
    s.asks_send(BOB, "hi", "k1")


@rule(AGAIN)
def sync_that_fails_temporarily_is_asked_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 4))
    s.refuse(s.asks_sync({BOB: 3}), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(4, messages(BOB, 4, 4))})
    s.state({f"room {BOB}": {"head": 4}})


@rule(AGAIN, DROPS)
def pushes_are_dropped_until_the_repeated_sync_is_answered(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 4))
    s.refuse(s.asks_sync({BOB: 3}), error("unavailable", temporary=True, retry_after_ms=2000))
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.wait(2000)
    label = s.asks_sync({BOB: 3})
    s.shows(BOB, *shown(1, 2, 3))
    s.synced(label, {BOB: missed(5, messages(BOB, 4, 5))})
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule(SYNC)
def sync_after_three_breaks_has_one_cursor_for_each_room(s: Story) -> None:
    s.online(private("bob", 3))
    for head in (4, 5, 6):
        s.comes_back(private("bob", head))
        s.synced(s.asks_sync({BOB: head - 1}), {BOB: missed(head, messages(BOB, head, head))})
    s.state({f"room {BOB}": {"head": 6}})


@rule("docs/clients.md, The surface: `store` keeps what is not sent yet", SYNC)
def restarted_client_has_no_cursors(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.do("restart")
    s.opens()
    s.ready(private("bob", 5))
    s.status("online")
    s.opened(BOB, 5)
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule(EVENTS, "docs/protocol.md, Keys and retries 6: match it by `key`")
def own_message_in_the_answer_of_sync_is_not_sent_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    label = s.sends(BOB, "mine", "k1")
    s.breaks()
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 4))
    sync = s.asks_sync({BOB: 3})
    label = s.asks_send(BOB, "mine", "k1")
    s.synced(sync, {BOB: missed(4, [message(BOB, 4, "alice", "mine", key="$k1")])})
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "body": "mine", "state": "sent"})
    s.sent(label, BOB, 4, duplicate=True)
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "body": "mine", "state": "sent"})
    s.state({"store": []})


@rule(CURSOR, IS_GONE)
def epoch_of_each_cursor_is_the_room_s(s: Story) -> None:
    s.online(private("bob", 3, epoch="epoch-7"), epoch="epoch-7")
    s.comes_back(private("bob", 3, epoch="epoch-7"), epoch="epoch-7")
    s.out("sync", {"cursors": {BOB: {"seq": 3, "epoch": "epoch-7"}}})
