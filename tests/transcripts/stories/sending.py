"""Messages on their way: sending, sent, failed, and their order."""

from ..story import (
    BOB,
    CAROL,
    TEA,
    UNAVAILABLE,
    Chapter,
    Object,
    Story,
    at,
    error,
    group,
    message,
    messages,
    missed,
    private,
    shown,
)

CHAPTER = Chapter()
rule = CHAPTER.rule

AT_ONCE = "docs/clients.md, Messages 2: What is not sent yet has no `seq` and no `at`"
ONE_BY_ONE = "docs/clients.md, Messages 3: Of the commands with a key to one room, one at a time is on its way: the next goes out when it is answered"
TAIL = "docs/clients.md, Messages 1: and then what is not sent yet, in the order of `send`"
STORED = "docs/clients.md, Messages 3: A message is in the store before it is sent, and leaves it when it is answered"
AGAIN = "docs/clients.md, Messages 3: It is sent again with the same key after every break, in the order of its room"
PUSH_FIRST = "docs/clients.md, Messages 3: The push of its entry, which may come first, makes it `sent` too and counts as its answer"
FAILED = "docs/clients.md, Messages 4: An error that is not temporary makes a message `failed`"
RETRY = "docs/clients.md, Messages 4: it stays in the store, with its error, until `retry` (the same key) or `discard`"
BEHIND = "docs/clients.md, Messages 4: The messages behind it are sent"
TOO_LARGE = "docs/clients.md, Messages 4: When a connection ends with close code 1009, the largest message without an answer fails with `too_large`"
PAUSE = "docs/clients.md, Messages 5: After a temporary error, the room's commands wait for `retry_after_ms`, or 100 ms, doubled up to 5 s"
IN_ORDER = "docs/clients.md, Messages 5: and go out again in their order"
OTHER_ROOMS = "docs/clients.md, Messages 5: Those of other rooms do not wait"
KEYS = "docs/protocol.md, Keys and retries 1: Choose a new `key` for each command that appends"
DUPLICATE = "docs/protocol.md, Keys and retries 2: Repeated with its key it gets the first answer"


def two_messages(s: Story) -> None:
    s.online(private("bob", 2))
    s.opened(BOB, 2)


def pending(*bodies: str) -> list[Object]:
    return [{"body": body, "state": "sending", "seq": None, "at": None} for body in bodies]


@rule(AT_ONCE, TAIL)
def message_is_shown_as_sending_at_once(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "hi", "k1")
    s.shows(
        BOB, *shown(1, 2), {"body": "hi", "author": "alice", "state": "sending", "seq": None, "at": None, "error": None}
    )


@rule(STORED)
def message_is_in_the_store_until_it_is_answered(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.state({"store": [{"user": "alice", "room": BOB, "key": "$k1", "body": "hi"}]})
    s.sent(label, BOB, 3)
    s.state({"store": []})


@rule("docs/clients.md, The surface: `message.done` is awaited for its entry's seq")
def answered_message_is_sent_and_done(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.result(None)
    s.sent(label, BOB, 3)
    s.result(3)
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "sent"})


@rule(PUSH_FIRST)
def sent_message_is_shown_once_with_its_entry(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 3)
    s.entry(message(BOB, 3, "alice", "hi", key="$k1"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "at": at(3), "author": "alice", "state": "sent"})


@rule(PUSH_FIRST)
def entry_before_the_answer_makes_its_message_sent(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.entry(message(BOB, 3, "alice", "hi", key="$k1"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})
    s.result(3)
    s.sent(label, BOB, 3, duplicate=True)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})
    s.state({"store": []})


@rule(PUSH_FIRST)
def message_whose_entry_came_is_not_sent_again(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "hi", "k1")
    s.entry(message(BOB, 3, "alice", "hi", key="$k1"))
    s.comes_back(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(3)})
    s.wait(60_000)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "state": "sent"})
    s.state({"store": []})


@rule(PUSH_FIRST, "docs/clients.md, Messages 3: the client matches them by `author` and `key`")
def entry_of_another_author_with_the_same_key_is_another_message(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.entry(message(BOB, 3, "bob", "not yours", key="$k1"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "author": "bob", "state": "sent"}, {"body": "hi", "state": "sending"})
    s.sent(label, BOB, 4)
    s.result(4)


@rule(TAIL)
def messages_of_others_come_before_what_is_not_sent(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.entry(message(BOB, 3, "bob", "message 3"))
    s.shows(BOB, *shown(1, 2, 3), *pending("hi"))
    s.sent(label, BOB, 4)
    s.entry(message(BOB, 4, "alice", "hi", key="$k1"))
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "body": "hi", "state": "sent"})


@rule(TAIL)
def answered_message_stays_below_what_comes_before_it(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 4)
    s.entry(message(BOB, 3, "bob", "message 3"))
    s.shows(BOB, *shown(1, 2, 3), {"body": "hi", "state": "sent"})
    s.entry(message(BOB, 4, "alice", "hi", key="$k1"))
    s.shows(BOB, *shown(1, 2, 3), {"seq": 4, "body": "hi", "state": "sent"})


@rule(ONE_BY_ONE, KEYS)
def messages_of_a_room_go_out_one_by_one(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi 1", "k1")
    s.do("send", room=BOB, body="hi 2")
    s.do("send", room=BOB, body="hi 3")
    s.shows(BOB, *shown(1, 2), *pending("hi 1", "hi 2", "hi 3"))
    s.sent(label, BOB, 3)
    label = s.asks_send(BOB, "hi 2", "k2")
    s.sent(label, BOB, 4)
    label = s.asks_send(BOB, "hi 3", "k3")
    s.sent(label, BOB, 5)
    s.state({"store": []})


@rule(ONE_BY_ONE)
def messages_of_two_rooms_do_not_wait_for_each_other(s: Story) -> None:
    s.online(private("bob", 2), private("carol", 1))
    s.sends(BOB, "to bob", "k1")
    s.sent(s.sends(CAROL, "to carol", "k2"), CAROL, 2)
    s.sends(CAROL, "to carol again", "k3")


@rule(TAIL)
def messages_become_sent_one_by_one(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi 1", "k1")
    s.do("send", room=BOB, body="hi 2")
    s.sent(label, BOB, 3)
    label = s.asks_send(BOB, "hi 2", "k2")
    s.shows(BOB, *shown(1, 2), {"body": "hi 1", "state": "sent"}, {"body": "hi 2", "state": "sending"})
    s.entry(message(BOB, 3, "alice", "hi 1", key="$k1"))
    s.sent(label, BOB, 4)
    s.entry(message(BOB, 4, "alice", "hi 2", key="$k2"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi 1"}, {"seq": 4, "body": "hi 2"})


@rule(KEYS)
def equal_bodies_are_two_messages(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 3)
    s.sent(s.sends(BOB, "hi", "k2"), BOB, 4)
    s.entry(message(BOB, 3, "alice", "hi", key="$k1"), message(BOB, 4, "alice", "hi", key="$k2"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi"}, {"seq": 4, "body": "hi"})


@rule("docs/clients.md, The surface: `room.send(body, {data, reply_to, mentions})`")
def message_carries_data_reply_and_mentions(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1", data={"mood": "good"}, reply_to=2, mentions=["bob"])
    s.shows(
        BOB,
        *shown(1, 2),
        {"body": "hi", "data": {"mood": "good"}, "reply_to": 2, "mentions": ["bob"], "state": "sending"},
    )
    s.state({"store": [{"body": "hi", "data": {"mood": "good"}, "reply_to": 2, "mentions": ["bob"]}]})
    s.sent(label, BOB, 3)


@rule(AGAIN)
def unanswered_message_is_sent_again_after_a_break(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "hi", "k1")
    s.breaks()
    s.shows(BOB, *shown(1, 2), *pending("hi"))
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    sync = s.asks_sync({BOB: 2})
    label = s.asks_send(BOB, "hi", "k1")
    s.synced(sync, {BOB: missed(2)})
    s.sent(label, BOB, 3)
    s.result(3)
    s.state({"store": []})


@rule(AGAIN, DUPLICATE)
def repeated_message_that_was_written_is_one_message(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "hi", "k1")
    s.comes_back(private("bob", 3))
    sync = s.asks_sync({BOB: 2})
    label = s.asks_send(BOB, "hi", "k1")
    s.synced(sync, {BOB: missed(3, [message(BOB, 3, "alice", "hi", key="$k1")])})
    s.sent(label, BOB, 3, duplicate=True)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})


@rule(AGAIN, ONE_BY_ONE)
def messages_typed_while_offline_are_sent_in_their_order(s: Story) -> None:
    two_messages(s)
    s.breaks()
    for number in (1, 2, 3):
        s.do("send", room=BOB, body=f"hi {number}")
    s.shows(BOB, *shown(1, 2), *pending("hi 1", "hi 2", "hi 3"))
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    sync = s.asks_sync({BOB: 2})
    label = s.asks_send(BOB, "hi 1", "k1")
    s.synced(sync, {BOB: missed(2)})
    for number in (2, 3):
        s.sent(label, BOB, 1 + number)
        label = s.asks_send(BOB, f"hi {number}", f"k{number}")


@rule(AGAIN, ONE_BY_ONE)
def unanswered_message_goes_before_one_that_was_typed_later(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "before the break", "k1")
    s.breaks()
    s.do("send", room=BOB, body="after it")
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    s.asks_sync({BOB: 2})
    s.sent(s.asks_send(BOB, "before the break", "k1"), BOB, 3)
    s.asks_send(BOB, "after it", "k2")


@rule(AGAIN, STORED)
def answered_message_is_not_sent_again(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 3)
    s.sends(BOB, "ho", "k2")
    s.comes_back(private("bob", 3))
    s.asks_sync({BOB: 2})
    s.asks_send(BOB, "ho", "k2")


@rule(AGAIN)
def message_is_sent_again_after_each_of_three_breaks(s: Story) -> None:
    s.online(private("bob"))
    label = s.sends(BOB, "hi", "k1")
    for _ in range(3):
        s.comes_back(private("bob"))
        sync = s.out("sync", {"cursors": {BOB: {"seq": 0}}})
        label = s.asks_send(BOB, "hi", "k1")
        s.synced(sync, {BOB: missed(0)})
    s.sent(label, BOB, 1)
    s.state({"store": []})


@rule(AGAIN, "docs/clients.md, Connection 3")
def message_without_an_answer_is_sent_again_on_the_next_connection(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "hi", "k1")
    s.wait(10_000)
    s.closes()
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    s.asks_sync({BOB: 2})
    s.asks_send(BOB, "hi", "k1")


@rule(AGAIN)
def messages_of_two_rooms_are_sent_again(s: Story) -> None:
    s.online(private("bob", 2), private("carol", 1))
    s.sends(BOB, "to bob", "k1")
    s.sends(CAROL, "to carol", "k2")
    s.comes_back(private("bob", 2), private("carol", 1))
    s.asks_sync({BOB: 2, CAROL: 1})
    s.asks_send(BOB, "to bob", "k1")
    s.asks_send(CAROL, "to carol", "k2")


@rule(FAILED)
def refused_message_is_failed_with_its_error(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "failed", "error": {"code": "forbidden", "temporary": False}})
    s.fails("forbidden")


@rule(RETRY)
def failed_message_stays_in_the_store(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.state({"store": [{"key": "$k1", "body": "hi", "error": {"code": "forbidden"}}]})


@rule(RETRY)
def failed_message_is_not_sent_again_after_a_break(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.comes_back(private("bob", 2))
    s.synced(s.asks_sync({BOB: 2}), {BOB: missed(2)})
    s.wait(60_000)
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "failed"})


@rule(RETRY)
def retried_message_is_sent_with_the_same_key(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.do("retry", room=BOB, body="hi")
    label = s.asks_send(BOB, "hi", "k1")
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "sending", "error": None})
    s.sent(label, BOB, 3)
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "sent"})
    s.state({"store": []})


@rule(RETRY)
def retried_message_may_fail_again(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.do("retry", room=BOB, body="hi")
    s.refuse(s.asks_send(BOB, "hi", "k1"), error("invalid", field="body"))
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "failed", "error": {"code": "invalid", "field": "body"}})


@rule(RETRY)
def message_retried_while_offline_waits_for_the_connection(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.breaks()
    s.do("retry", room=BOB, body="hi")
    s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "sending"})
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    s.asks_sync({BOB: 2})
    s.asks_send(BOB, "hi", "k1")


@rule(RETRY)
def discarded_message_is_gone(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("forbidden"))
    s.do("discard", room=BOB, body="hi")
    s.shows(BOB, *shown(1, 2))
    s.state({"store": []})


@rule(BEHIND, FAILED)
def message_behind_a_failed_one_is_sent(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "bad", "k1")
    s.do("send", room=BOB, body="good")
    s.refuse(label, error("invalid", field="body"))
    s.sent(s.asks_send(BOB, "good", "k2"), BOB, 3)
    s.entry(message(BOB, 3, "alice", "good", key="$k2"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "good", "state": "sent"}, {"body": "bad", "state": "failed"})


@rule(BEHIND)
def message_after_a_failed_one_is_sent_at_once(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "bad", "k1"), error("forbidden"))
    s.sent(s.sends(BOB, "good", "k2"), BOB, 3)
    s.state({"store": [{"body": "bad"}]})


def fails_after(code: str) -> None:
    @rule(FAILED, "docs/protocol.md, Keys and retries 5: An error with `temporary: false` is final")
    def story(s: Story) -> None:
        two_messages(s)
        s.refuse(s.sends(BOB, "hi", "k1"), error(code))
        s.wait(60_000)
        s.shows(BOB, *shown(1, 2), {"body": "hi", "state": "failed", "error": {"code": code}})

    CHAPTER.rename(story, f"message_refused_as_{code}_fails")


for _code in ("not_found", "key_reused", "invalid", "too_large", "unheard_of"):
    fails_after(_code)


@rule(TOO_LARGE, "docs/protocol.md, Keys and retries 7: A message that ended a connection with close code 1009")
def message_that_ended_the_connection_fails(s: Story) -> None:
    two_messages(s)
    s.sends(BOB, "long " * 100, "k1")
    s.breaks(1009)
    s.shows(BOB, *shown(1, 2), {"body": "long " * 100, "state": "failed", "error": {"code": "too_large"}})
    s.fails("too_large")
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    s.synced(s.asks_sync({BOB: 2}), {BOB: missed(2)})
    s.wait(60_000)


@rule(TOO_LARGE)
def only_the_largest_message_fails_after_1009(s: Story) -> None:
    s.online(private("bob", 2), private("carol", 1))
    s.sends(BOB, "short", "k1")
    s.sends(CAROL, "long " * 100, "k2")
    s.do("send", room=BOB, body="longest " * 100)
    s.breaks(1009)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2), private("carol", 1))
    s.asks_sync({BOB: 2, CAROL: 1})
    label = s.asks_send(BOB, "short", "k1")
    failed = {"body": "long " * 100, "error": {"code": "too_large"}}
    s.state({"store": [{"body": "short"}, failed, {"body": "longest " * 100}]})
    s.sent(label, BOB, 3)
    s.asks_send(BOB, "longest " * 100, "k3")


@rule(TOO_LARGE)
def answered_message_does_not_fail_after_1009(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "long " * 100, "k1"), BOB, 3)
    s.sends(BOB, "short", "k2")
    s.breaks(1009)
    s.shows(BOB, *shown(1, 2), {"body": "long " * 100, "state": "sent"}, {"body": "short", "state": "failed"})


@rule(TOO_LARGE)
def message_that_was_not_sent_on_it_does_not_fail_with_a_connection(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.do("send", room=BOB, body="long " * 100)
    s.breaks(1009)
    s.wait(1000)
    s.opens()
    s.ready(private("bob"))
    s.asks_send(BOB, "long " * 100, "k1")


@rule(PAUSE)
def message_waits_100_ms_after_a_temporary_error(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), UNAVAILABLE)
    s.shows(BOB, *shown(1, 2), *pending("hi"))
    s.wait(99)
    s.wait(1)
    s.sent(s.asks_send(BOB, "hi", "k1"), BOB, 3)
    s.state({"store": []})


@rule(PAUSE)
def message_waits_as_long_as_the_error_says(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "hi", "k1"), error("rate_limited", temporary=True, retry_after_ms=3000))
    s.wait(2999)
    s.wait(1)
    s.asks_send(BOB, "hi", "k1")


@rule(PAUSE)
def pauses_after_temporary_errors_double_up_to_five_seconds(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    for pause in (100, 200, 400, 800, 1600, 3200, 5000, 5000):
        s.refuse(label, UNAVAILABLE)
        s.wait(pause - 1)
        s.wait(1)
        label = s.asks_send(BOB, "hi", "k1")
    s.sent(label, BOB, 3)


@rule(PAUSE)
def pause_is_100_ms_again_after_an_answer(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    for pause in (100, 200):
        s.refuse(label, UNAVAILABLE)
        s.wait(pause)
        label = s.asks_send(BOB, "hi", "k1")
    s.sent(label, BOB, 3)
    s.refuse(s.sends(BOB, "ho", "k2"), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    s.asks_send(BOB, "ho", "k2")


def waits_after(code: str) -> None:
    @rule(PAUSE, "docs/protocol.md, Keys and retries 3: `temporary: true`, repeat the command with the same key")
    def story(s: Story) -> None:
        two_messages(s)
        s.refuse(s.sends(BOB, "hi", "k1"), error(code, temporary=True))
        s.wait(100)
        s.asks_send(BOB, "hi", "k1")

    CHAPTER.rename(story, f"message_is_repeated_after_temporary_{code}")


for _code in ("internal", "rate_limited", "unheard_of"):
    waits_after(_code)


@rule(IN_ORDER, ONE_BY_ONE)
def messages_behind_a_temporary_error_keep_their_order(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi 1", "k1")
    s.do("send", room=BOB, body="hi 2")
    s.do("send", room=BOB, body="hi 3")
    s.refuse(label, UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    for number in (1, 2, 3):
        s.sent(s.asks_send(BOB, f"hi {number}", f"k{number}"), BOB, 2 + number)


@rule(IN_ORDER)
def message_typed_in_the_pause_waits_behind_the_others(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "first", "k1"), UNAVAILABLE)
    s.do("send", room=BOB, body="second")
    s.wait(99)
    s.wait(1)
    s.sent(s.asks_send(BOB, "first", "k1"), BOB, 3)
    s.asks_send(BOB, "second", "k2")


@rule(IN_ORDER, PAUSE)
def second_message_may_have_a_pause_of_its_own(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "first", "k1")
    s.do("send", room=BOB, body="second")
    s.sent(label, BOB, 3)
    s.refuse(s.asks_send(BOB, "second", "k2"), error("rate_limited", temporary=True, retry_after_ms=500))
    s.wait(499)
    s.wait(1)
    s.asks_send(BOB, "second", "k2")


@rule(OTHER_ROOMS)
def message_to_another_room_does_not_wait(s: Story) -> None:
    s.online(private("bob", 2), private("carol", 1))
    s.refuse(s.sends(BOB, "to bob", "k1"), error("rate_limited", temporary=True, retry_after_ms=3000))
    s.sent(s.sends(CAROL, "to carol", "k2"), CAROL, 2)
    s.wait(3000)
    s.asks_send(BOB, "to bob", "k1")


@rule(IN_ORDER, AGAIN)
def break_in_a_pause_ends_the_pause(s: Story) -> None:
    two_messages(s)
    s.refuse(s.sends(BOB, "first", "k1"), error("rate_limited", temporary=True, retry_after_ms=60_000))
    s.comes_back(private("bob", 2))
    s.asks_sync({BOB: 2})
    s.asks_send(BOB, "first", "k1")


@rule(TAIL, FAILED)
def failed_messages_keep_their_place_among_what_is_not_sent(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "one", "k1")
    s.do("send", room=BOB, body="two")
    s.do("send", room=BOB, body="three")
    s.refuse(label, error("forbidden"))
    label = s.asks_send(BOB, "two", "k2")
    s.shows(
        BOB, *shown(1, 2), {"body": "one", "state": "failed"}, {"body": "two", "state": "sending"}, {"body": "three"}
    )
    s.refuse(label, error("forbidden"))
    s.asks_send(BOB, "three", "k3")
    s.shows(
        BOB, *shown(1, 2), {"body": "one"}, {"body": "two", "state": "failed"}, {"body": "three", "state": "sending"}
    )


@rule(TAIL)
def message_in_a_room_that_is_not_open_is_sent(s: Story) -> None:
    s.online(group(TEA, "Tea", 5))
    s.sent(s.sends(TEA, "hi", "k1"), TEA, 6)
    s.result(6)
    s.state({"store": []})


@rule(TAIL, "docs/clients.md, Rooms 3")
def message_sent_before_the_page_comes_stays_the_newest(s: Story) -> None:
    s.online(private("bob", 2))
    s.do("open", room=BOB)
    page = s.asks_page(BOB, 1, 2)
    label = s.sends(BOB, "hi", "k1")
    s.page(page, BOB, messages(BOB, 1, 2), 2, before=False)
    s.shows(BOB, *shown(1, 2), *pending("hi"))
    s.sent(label, BOB, 3)


@rule("docs/clients.md, Rooms 6")
def message_to_a_room_that_is_gone_fails_by_its_answer(s: Story) -> None:
    s.online(group(TEA, "Tea", 2))
    s.opened(TEA, 2)
    label = s.sends(TEA, "hi", "k1")
    s.push("room.gone", {"room": TEA})
    s.refuse(label, error("not_found"))
    s.fails("not_found")
    s.state({"rooms": []})


@rule(PUSH_FIRST, ONE_BY_ONE)
def entry_before_the_answer_lets_the_next_message_go(s: Story) -> None:
    two_messages(s)
    first = s.sends(BOB, "one", "k1")
    s.do("send", room=BOB, body="two")
    s.entry(message(BOB, 3, "alice", "one", key="$k1"))
    second = s.asks_send(BOB, "two", "k2")
    s.sent(first, BOB, 3, duplicate=True)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "one", "state": "sent"}, {"body": "two", "state": "sending"})
    s.sent(second, BOB, 4)
    s.state({"store": []})


@rule("docs/protocol.md, The host: The entry has what is stored", PUSH_FIRST)
def entry_shows_what_the_server_stored(s: Story) -> None:
    two_messages(s)
    s.sent(s.sends(BOB, "darn", "k1"), BOB, 3)
    s.entry(message(BOB, 3, "alice", "d**n", key="$k1"))
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "d**n", "state": "sent"})


@rule("docs/protocol.md, A client's algorithm 6: The entry of a command may arrive before its answer", AGAIN)
def answer_after_the_entry_and_a_later_change_changes_nothing(s: Story) -> None:
    two_messages(s)
    label = s.sends(BOB, "hi", "k1")
    s.entry(message(BOB, 3, "alice", "hi", key="$k1"), message(BOB, 4, "bob", "message 4"))
    s.sent(label, BOB, 3)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"}, *shown(4))


@rule("docs/protocol.md, Connecting over a plain WebSocket: 1009", TOO_LARGE)
def close_code_1009_without_a_message_is_a_break(s: Story) -> None:
    two_messages(s)
    s.breaks(1009)
    s.status("offline")
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 2))
    s.synced(s.asks_sync({BOB: 2}), {BOB: missed(2)})
    s.shows(BOB, *shown(1, 2))
