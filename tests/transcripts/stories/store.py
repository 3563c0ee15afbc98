"""The store: earlier runs, other users, restarts and tabs."""

from typing import Any

from ..story import BOB, CAROL, Chapter, Object, Story, error, message, missed, private, shown

CHAPTER = Chapter()
rule = CHAPTER.rule

FOUND = "docs/clients.md, Messages 7: A tab shows the messages in the store that it finds when it starts"
TABS = "docs/clients.md, Messages 7: Tabs that share a store send each other's messages: the first answer removes a message from the store"
OTHER_USER = (
    "docs/clients.md, Messages 8: The client does not send messages in the store of another user than that of `ready`"
)
OUTLIVES = "docs/clients.md, The surface: `store` keeps what is not sent yet"
KEPT = "docs/clients.md, Messages 4: it stays in the store, with its error, until `retry` (the same key) or `discard`"
MEMORY = "docs/clients.md, Messages 6: Edits, deletions and reactions are kept in memory only"


def kept(body: str, key: str, room: str = BOB, user: str = "alice", **fields: Any) -> Object:
    return {"user": user, "room": room, "key": key, "body": body, **fields}


@rule(OUTLIVES)
def message_of_an_earlier_run_is_sent_with_its_key(s: Story) -> None:
    s.store = [kept("from yesterday", "yesterday-1")]
    s.online(private("bob", 2))
    label = s.out("message.send", {"room": BOB, "body": "from yesterday", "key": "yesterday-1"})
    s.sent(label, BOB, 3)
    s.state({"store": []})


@rule(OUTLIVES)
def messages_of_an_earlier_run_are_sent_in_their_order(s: Story) -> None:
    s.store = [kept(f"message {number}", f"yesterday-{number}") for number in (1, 2, 3)]
    s.online(private("bob", 2))
    for number in (1, 2, 3):
        label = s.out("message.send", {"room": BOB, "body": f"message {number}", "key": f"yesterday-{number}"})
        s.sent(label, BOB, 2 + number)
    s.state({"store": []})


@rule(OUTLIVES)
def message_of_an_earlier_run_goes_before_new_ones(s: Story) -> None:
    s.store = [kept("old", "yesterday-1")]
    s.do("connect")
    s.opens()
    s.do("send", room=BOB, body="new")
    s.ready(private("bob", 2))
    s.sent(s.out("message.send", {"room": BOB, "body": "old", "key": "yesterday-1"}), BOB, 3)
    s.asks_send(BOB, "new", "k1")


@rule(OUTLIVES)
def message_of_an_earlier_run_keeps_all_its_fields(s: Story) -> None:
    fields: Object = {"data": {"mood": "good"}, "reply_to": 1, "mentions": ["bob"]}
    s.store = [kept("old", "yesterday-1", **fields)]
    s.online(private("bob", 2))
    s.out("message.send", {"room": BOB, "body": "old", "key": "yesterday-1", **fields})


@rule(OUTLIVES, "docs/clients.md, Messages 3: A room that was got by `with` sends `to`")
def first_message_of_an_earlier_run_is_sent_with_to(s: Story) -> None:
    s.store = [{"user": "alice", "to": "bob", "key": "yesterday-1", "body": "hello"}]
    s.online()
    s.out("message.send", {"to": "bob", "body": "hello", "key": "yesterday-1"})
    s.shows(BOB, {"body": "hello", "state": "sending"})


@rule(FOUND)
def message_of_an_earlier_run_is_shown(s: Story) -> None:
    s.store = [kept("old", "yesterday-1")]
    s.online(private("bob", 2))
    s.out("message.send", {"room": BOB, "body": "old", "key": "yesterday-1"})
    s.opened(BOB, 2)
    s.shows(BOB, *shown(1, 2), {"body": "old", "state": "sending", "author": "alice"})


@rule(KEPT, FOUND)
def failed_message_of_an_earlier_run_is_shown_and_not_sent(s: Story) -> None:
    s.store = [kept("bad", "yesterday-1", error=error("forbidden"))]
    s.online(private("bob", 2))
    s.opened(BOB, 2)
    s.shows(BOB, *shown(1, 2), {"body": "bad", "state": "failed", "error": {"code": "forbidden"}})


@rule(KEPT)
def failed_message_of_an_earlier_run_can_be_retried(s: Story) -> None:
    s.store = [kept("bad", "yesterday-1", error=error("forbidden"))]
    s.online(private("bob", 2))
    s.opened(BOB, 2)
    s.do("retry", room=BOB, body="bad")
    label = s.out("message.send", {"room": BOB, "body": "bad", "key": "yesterday-1"})
    s.sent(label, BOB, 3)
    s.state({"store": []})


@rule(KEPT)
def failed_message_of_an_earlier_run_can_be_discarded(s: Story) -> None:
    s.store = [kept("bad", "yesterday-1", error=error("forbidden"))]
    s.online(private("bob", 2))
    s.opened(BOB, 2)
    s.do("discard", room=BOB, body="bad")
    s.shows(BOB, *shown(1, 2))
    s.state({"store": []})


@rule(OTHER_USER)
def message_of_another_user_is_not_sent(s: Story) -> None:
    s.store = [kept("not alice's", "yesterday-1", "pvt-bob-carol", "bob")]
    s.online(private("bob", 2))
    s.wait(60_000)
    s.state({"store": [{"user": "bob", "body": "not alice's"}]})


@rule(OTHER_USER)
def message_of_another_user_is_not_shown(s: Story) -> None:
    s.store = [kept("not alice's", "yesterday-1", BOB, "bob")]
    s.online(private("bob", 2))
    s.opened(BOB, 2)
    s.shows(BOB, *shown(1, 2))


@rule(OTHER_USER, OUTLIVES)
def own_messages_among_those_of_another_user_are_sent(s: Story) -> None:
    s.store = [kept("bob's", "b-1", BOB, "bob"), kept("alice's", "a-1"), kept("bob's too", "b-2", BOB, "bob")]
    s.online(private("bob", 2))
    s.sent(s.out("message.send", {"room": BOB, "body": "alice's", "key": "a-1"}), BOB, 3)
    s.state({"store": [{"body": "bob's"}, {"body": "bob's too"}]})


@rule(OUTLIVES)
def unanswered_message_is_sent_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.sends(BOB, "hi", "k1")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.sent(s.asks_send(BOB, "hi", "k1"), BOB, 3)
    s.state({"store": []})


@rule(OUTLIVES)
def messages_typed_while_offline_are_sent_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.breaks()
    s.do("send", room=BOB, body="first")
    s.do("send", room=BOB, body="second")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.sent(s.asks_send(BOB, "first", "k1"), BOB, 3)
    s.asks_send(BOB, "second", "k2")


@rule(OUTLIVES)
def answered_message_is_not_sent_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 3)
    s.do("restart")
    s.opens()
    s.ready(private("bob", 3))
    s.wait(60_000)
    s.status("online")


@rule(OUTLIVES, "docs/protocol.md, Keys and retries 2: Repeated with its key it gets the first answer")
def message_written_before_a_restart_is_not_doubled(s: Story) -> None:
    s.online(private("bob", 2))
    s.sends(BOB, "hi", "k1")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 3))
    label = s.asks_send(BOB, "hi", "k1")
    s.do("open", room=BOB)
    page = s.asks_page(BOB, 1, 3)
    entries = [message(BOB, 1, "bob", "message 1"), message(BOB, 2, "bob", "message 2")]
    s.page(page, BOB, [*entries, message(BOB, 3, "alice", "hi", key="$k1")], 3, before=False)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})
    s.sent(label, BOB, 3, duplicate=True)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})
    s.state({"store": []})


@rule(KEPT, OUTLIVES)
def failed_message_is_still_failed_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.refuse(s.sends(BOB, "bad", "k1"), error("forbidden"))
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.opened(BOB, 2)
    s.shows(BOB, *shown(1, 2), {"body": "bad", "state": "failed", "error": {"code": "forbidden"}})


@rule(KEPT, OUTLIVES)
def discarded_message_does_not_come_back_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.refuse(s.sends(BOB, "bad", "k1"), error("forbidden"))
    s.do("discard", room=BOB, body="bad")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.opened(BOB, 2)
    s.shows(BOB, *shown(1, 2))


@rule(KEPT, OUTLIVES)
def retried_message_is_sent_after_a_restart(s: Story) -> None:
    s.online(private("bob", 2))
    s.refuse(s.sends(BOB, "bad", "k1"), error("forbidden"))
    s.breaks()
    s.do("retry", room=BOB, body="bad")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.asks_send(BOB, "bad", "k1")


@rule(MEMORY)
def edit_does_not_outlive_a_restart(s: Story) -> None:
    s.online(private("bob", 1))
    s.opened(BOB, 1, [message(BOB, 1, "alice", "message 1")])
    s.do("edit", room=BOB, seq=1, body="better")
    s.out("message.edit", {"room": BOB, "seq": 1, "version": 1, "body": "better", "key": "$k1"})
    s.state({"store": []})
    s.do("restart")
    s.opens()
    s.ready(private("bob", 1))
    s.wait(60_000)
    s.status("online")


@rule(FOUND, TABS)
def second_tab_shows_and_sends_what_the_first_has_not_sent(s: Story) -> None:
    s.online(private("bob", 2))
    s.breaks()
    s.do("send", room=BOB, body="typed offline")
    tab = s.other_tab("b")
    tab.online(private("bob", 2))
    label = tab.asks_send(BOB, "typed offline", "k1")
    tab.opened(BOB, 2)
    tab.shows(BOB, *shown(1, 2), {"body": "typed offline", "state": "sending"})
    tab.sent(label, BOB, 3)
    tab.state({"store": []})


@rule(TABS)
def message_that_both_tabs_send_has_one_key(s: Story) -> None:
    s.online(private("bob", 2))
    s.sends(BOB, "hi", "k1")
    tab = s.other_tab("b")
    tab.online(private("bob", 2))
    second = tab.asks_send(BOB, "hi", "k1")
    tab.sent(second, BOB, 3)
    first = s.other_tab(None)
    first.opened(BOB, 2)
    first.entry(message(BOB, 3, "alice", "hi", key="$k1"))
    first.shows(BOB, *shown(1, 2), {"seq": 3, "body": "hi", "state": "sent"})
    first.state({"store": []})


@rule(TABS)
def answer_in_one_tab_leaves_the_other_message_of_the_store(s: Story) -> None:
    s.online(private("bob", 2))
    s.breaks()
    s.do("send", room=BOB, body="one")
    tab = s.other_tab("b")
    tab.online(private("bob", 2))
    label = tab.asks_send(BOB, "one", "k1")
    s.other_tab(None).do("send", room=BOB, body="two")
    s.other_tab("b").sent(label, BOB, 3)
    s.state({"store": [{"body": "two"}]})


@rule(TABS, "docs/clients.md, Messages 3: The push of its entry makes it `sent` too and counts as its answer")
def first_tab_takes_the_entry_that_the_second_sent(s: Story) -> None:
    s.online(private("bob", 2))
    s.opened(BOB, 2)
    s.breaks()
    s.do("send", room=BOB, body="typed offline")
    s.other_tab("b").online(private("bob", 2))
    label = s.asks_send(BOB, "typed offline", "k1")
    s.sent(label, BOB, 3)
    s.other_tab(None).wait(1000)
    s.opens()
    s.ready(private("bob", 3))
    sync = s.asks_sync({BOB: 2})
    again = s.asks_send(BOB, "typed offline", "k1")
    s.synced(sync, {BOB: missed(3, [message(BOB, 3, "alice", "typed offline", key="$k1")])})
    s.sent(again, BOB, 3, duplicate=True)
    s.shows(BOB, *shown(1, 2), {"seq": 3, "body": "typed offline", "state": "sent"})
    s.state({"store": []})


@rule(TABS)
def tabs_connect_each_on_their_own(s: Story) -> None:
    s.online(private("bob", 2))
    s.other_tab("b").online(private("bob", 2))
    s.status("online")
    s.breaks()
    s.status("offline")
    s.other_tab(None).status("online")


@rule(TABS, OUTLIVES)
def tab_that_ended_is_continued_by_the_other(s: Story) -> None:
    s.online(private("bob", 2), private("carol", 1))
    s.sends(CAROL, "left behind", "k1")
    s.do("close")
    s.closes()
    s.other_tab("b").online(private("bob", 2), private("carol", 1))
    s.sent(s.asks_send(CAROL, "left behind", "k1"), CAROL, 2)
    s.state({"store": []})


@rule(OUTLIVES, "docs/clients.md, Messages 1")
def old_message_that_was_written_already_is_shown_in_its_place(s: Story) -> None:
    s.store = [kept("old", "yesterday-1")]
    s.online(private("bob", 3))
    label = s.out("message.send", {"room": BOB, "body": "old", "key": "yesterday-1"})
    s.sent(label, BOB, 2, duplicate=True)
    old = message(BOB, 2, "alice", "old", key="yesterday-1")
    s.opened(BOB, 3, [message(BOB, 1, "bob", "message 1"), old, message(BOB, 3, "bob", "message 3")])
    s.shows(BOB, *shown(1), {"seq": 2, "body": "old", "state": "sent"}, *shown(3))
    s.state({"store": []})


@rule(OTHER_USER)
def message_of_the_user_before_is_not_sent_by_another(s: Story) -> None:
    s.online(private("bob", 2))
    s.breaks()
    s.do("send", room=BOB, body="alice's")
    s.wait(1000)
    s.opens()
    s.ready(user="carol")
    s.wait(60_000)
    s.status("online", user="carol")
    s.state({"rooms": [], "store": [{"user": "alice", "body": "alice's"}]})


@rule(OTHER_USER, OUTLIVES)
def message_waits_until_its_user_is_back(s: Story) -> None:
    s.online(private("bob", 2))
    s.breaks()
    s.do("send", room=BOB, body="alice's")
    s.wait(1000)
    s.opens()
    s.ready(user="carol")
    s.do("restart")
    s.opens()
    s.ready(private("bob", 2))
    s.asks_send(BOB, "alice's", "k1")
