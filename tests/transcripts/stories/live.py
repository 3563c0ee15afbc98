"""Markers, typing and presence."""

from ..story import BOB, CAROL, TEA, UNAVAILABLE, Chapter, Story, edited, error, group, me, message, missed, private

CHAPTER = Chapter()
rule = CHAPTER.rule

HIGHEST = (
    "docs/clients.md, Markers 1: `mark` sends the highest position only, at most one command at a time for each room"
)
MARK_AGAIN = "docs/clients.md, Markers 1: and again after a break or a temporary error"
MARK_SHOWN = "docs/clients.md, Markers 1: The Room shows the position at once"
NOT_ABOVE = "docs/clients.md, Markers 1: A position that is not above the one shown is not sent"
THREE_SECONDS = "docs/clients.md, Markers 2: `typing(true)` sends `typing` at most every 3 s"
ONLY_AFTER = "docs/clients.md, Markers 2: `typing(false)` only after a `true`"
SEND_ENDS = "docs/clients.md, Markers 2: A send ends typing, so that the next `true` is sent at once"
NOT_REPEATED = (
    "docs/clients.md, Markers 2: Nothing of it is repeated after a break, and nothing is sent without a connection"
)
TYPISTS = "docs/clients.md, Markers 3: `typists` follows the pushes, loses the author of every message entry, and is empty after a break"
PRESENCE = 'docs/clients.md, Markers 4: `call("presence", …)` fills `presence`; the pushes follow'
CALLED_AGAIN = "docs/clients.md, Markers 4: After `ready` the client calls it again with the same users"


def marked(read: int, unread: int = 0) -> dict[str, object]:
    return {"read": read, "delivered": read, "unread": unread, "muted": False}


@rule(HIGHEST, MARK_SHOWN)
def mark_sends_the_position(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=3)
    label = s.out("mark", {"room": BOB, "read": 3})
    s.state({f"room {BOB}": {"me": {"read": 3}}})
    s.answer(label, marked(3, 2))
    s.state({f"room {BOB}": {"me": {"read": 3, "unread": 2}}})


@rule(HIGHEST)
def marks_before_the_answer_are_sent_as_one(s: Story) -> None:
    s.online(private("bob", 9, me=me(unread=9)))
    s.do("mark", room=BOB, seq=3)
    label = s.out("mark", {"room": BOB, "read": 3})
    s.do("mark", room=BOB, seq=5)
    s.do("mark", room=BOB, seq=8)
    s.do("mark", room=BOB, seq=6)
    s.state({f"room {BOB}": {"me": {"read": 8}}})
    s.answer(label, marked(3, 6))
    s.answer(s.out("mark", {"room": BOB, "read": 8}), marked(8, 1))
    s.state({f"room {BOB}": {"me": {"read": 8, "unread": 1}}})


@rule(NOT_ABOVE)
def mark_that_is_not_above_the_marker_is_not_sent(s: Story) -> None:
    s.online(private("bob", 5, me=me(read=4, unread=1)))
    s.do("mark", room=BOB, seq=4)
    s.do("mark", room=BOB, seq=2)
    s.state({f"room {BOB}": {"me": {"read": 4, "unread": 1}}})


@rule(NOT_ABOVE)
def mark_is_not_sent_twice(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=5)
    s.answer(s.out("mark", {"room": BOB, "read": 5}), marked(5))
    s.do("mark", room=BOB, seq=5)
    s.state({f"room {BOB}": {"me": {"read": 5, "unread": 0}}})


@rule(HIGHEST)
def marks_of_two_rooms_do_not_wait_for_each_other(s: Story) -> None:
    s.online(private("bob", 5), private("carol", 5))
    s.do("mark", room=BOB, seq=5)
    s.out("mark", {"room": BOB, "read": 5})
    s.do("mark", room=CAROL, seq=4)
    s.out("mark", {"room": CAROL, "read": 4})


@rule(MARK_AGAIN)
def mark_is_sent_again_after_a_break(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=3)
    s.out("mark", {"room": BOB, "read": 3})
    s.comes_back(private("bob", 5, me=me(unread=5)))
    s.asks_sync({BOB: 5})
    s.out("mark", {"room": BOB, "read": 3})


@rule(MARK_AGAIN, HIGHEST)
def mark_after_a_break_is_the_highest(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=3)
    s.out("mark", {"room": BOB, "read": 3})
    s.breaks()
    s.do("mark", room=BOB, seq=5)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 5, me=me(unread=5)))
    s.asks_sync({BOB: 5})
    s.out("mark", {"room": BOB, "read": 5})


@rule(MARK_AGAIN)
def mark_is_sent_again_after_a_temporary_error(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=3)
    s.refuse(s.out("mark", {"room": BOB, "read": 3}), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    s.answer(s.out("mark", {"room": BOB, "read": 3}), marked(3, 2))
    s.state({f"room {BOB}": {"me": {"read": 3, "unread": 2}}})


@rule("docs/protocol.md, Keys and retries 5: An error with `temporary: false` is final")
def refused_mark_is_not_sent_again(s: Story) -> None:
    s.online(private("bob", 5, me=me(unread=5)))
    s.do("mark", room=BOB, seq=3)
    s.refuse(s.out("mark", {"room": BOB, "read": 3}), error("not_found"))
    s.wait(60_000)
    s.status("online")


@rule(MARK_SHOWN)
def marker_of_another_device_that_is_higher_wins(s: Story) -> None:
    s.online(private("bob", 9, me=me(unread=9)))
    s.do("mark", room=BOB, seq=3)
    s.answer(s.out("mark", {"room": BOB, "read": 3}), marked(3, 6))
    s.push("marker", {"room": BOB, "user": "alice", "read": 7, "delivered": 9, "unread": 2})
    s.state({f"room {BOB}": {"me": {"read": 7, "unread": 2}}})
    s.do("mark", room=BOB, seq=6)
    s.state({f"room {BOB}": {"me": {"read": 7}}})


@rule(THREE_SECONDS)
def typing_is_sent_at_once(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))


@rule(THREE_SECONDS)
def typing_is_sent_at_most_every_three_seconds(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))
    for _ in range(2):
        s.wait(1000)
        s.do("typing", room=BOB, on=True)
    s.wait(999)
    s.do("typing", room=BOB, on=True)
    s.wait(1)
    s.do("typing", room=BOB, on=True)
    s.out("typing", {"room": BOB, "on": True})


@rule(THREE_SECONDS)
def typing_is_not_repeated_by_itself(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))
    s.wait(60_000)
    s.status("online")


@rule(ONLY_AFTER)
def end_of_typing_is_sent_after_typing(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))
    s.do("typing", room=BOB, on=False)
    s.answer(s.out("typing", {"room": BOB, "on": False}))
    s.do("typing", room=BOB, on=False)
    s.wait(1000)


@rule(ONLY_AFTER)
def end_of_typing_alone_is_not_sent(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=False)
    s.wait(1000)


@rule(ONLY_AFTER)
def typing_again_after_its_end_is_sent_at_once(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))
    s.do("typing", room=BOB, on=False)
    s.answer(s.out("typing", {"room": BOB, "on": False}))
    s.do("typing", room=BOB, on=True)
    s.out("typing", {"room": BOB, "on": True})


@rule(SEND_ENDS)
def message_ends_typing(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.answer(s.out("typing", {"room": BOB, "on": True}))
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 2)
    s.do("typing", room=BOB, on=False)
    s.do("typing", room=BOB, on=True)
    s.out("typing", {"room": BOB, "on": True})


@rule(THREE_SECONDS)
def typing_in_two_rooms_is_sent_for_each(s: Story) -> None:
    s.online(private("bob", 1), private("carol", 1))
    s.do("typing", room=BOB, on=True)
    s.out("typing", {"room": BOB, "on": True})
    s.do("typing", room=CAROL, on=True)
    s.out("typing", {"room": CAROL, "on": True})


@rule(NOT_REPEATED)
def typing_is_not_repeated_after_a_break(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("typing", room=BOB, on=True)
    s.out("typing", {"room": BOB, "on": True})
    s.comes_back(private("bob", 1))
    s.synced(s.asks_sync({BOB: 1}), {BOB: missed(1)})
    s.wait(60_000)


@rule(NOT_REPEATED)
def typing_while_offline_is_not_sent(s: Story) -> None:
    s.online(private("bob", 1))
    s.breaks()
    s.do("typing", room=BOB, on=True)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 1))
    s.synced(s.asks_sync({BOB: 1}), {BOB: missed(1)})


@rule("docs/protocol.md, typing: `not_found`: the user is not a member", NOT_REPEATED)
def refused_typing_changes_nothing(s: Story) -> None:
    s.online(group(TEA, "Tea", 1))
    s.do("typing", room=TEA, on=True)
    s.refuse(s.out("typing", {"room": TEA, "on": True}), error("not_found"))
    s.wait(60_000)
    s.status("online", error=None)


@rule(TYPISTS)
def typists_are_those_of_the_newest_push(s: Story) -> None:
    s.online(group(TEA, "Tea", 1))
    s.state({f"typists {TEA}": []})
    s.push("typing", {"room": TEA, "users": ["bob"]})
    s.state({f"typists {TEA}": ["bob"]})
    s.push("typing", {"room": TEA, "users": ["bob", "carol"]})
    s.state({f"typists {TEA}": ["bob", "carol"]})
    s.push("typing", {"room": TEA, "users": []})
    s.state({f"typists {TEA}": []})


@rule(TYPISTS)
def author_of_a_message_types_no_more(s: Story) -> None:
    s.online(group(TEA, "Tea", 1))
    s.push("typing", {"room": TEA, "users": ["bob", "carol"]})
    s.entry(message(TEA, 2, "bob", "done"))
    s.state({f"typists {TEA}": ["carol"]})


@rule(TYPISTS)
def edit_does_not_end_typing(s: Story) -> None:
    s.online(private("bob", 1))
    s.push("typing", {"room": BOB, "users": ["bob"]})
    s.entry(edited(BOB, 2, 1, "better"))
    s.state({f"typists {BOB}": ["bob"]})


@rule(TYPISTS)
def typists_are_forgotten_after_a_break(s: Story) -> None:
    s.online(private("bob", 1))
    s.push("typing", {"room": BOB, "users": ["bob"]})
    s.breaks()
    s.state({f"typists {BOB}": []})
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 1))
    s.asks_sync({BOB: 1})
    s.state({f"typists {BOB}": []})


@rule(TYPISTS, "docs/protocol.md, Push typing: A client forgets who types with `room.gone`")
def typists_of_a_room_that_is_gone_are_forgotten(s: Story) -> None:
    s.online(group(TEA, "Tea", 1))
    s.push("typing", {"room": TEA, "users": ["bob"]})
    s.push("room.gone", {"room": TEA})
    s.state({f"typists {TEA}": []})


@rule(TYPISTS)
def typists_of_two_rooms_are_kept_apart(s: Story) -> None:
    s.online(group(TEA, "Tea", 1), private("bob", 1))
    s.push("typing", {"room": TEA, "users": ["carol"]})
    s.push("typing", {"room": BOB, "users": ["bob"]})
    s.state({f"typists {TEA}": ["carol"], f"typists {BOB}": ["bob"]})


@rule(PRESENCE)
def presence_is_filled_by_its_call(s: Story) -> None:
    s.online(private("bob", 1))
    s.state({"presence": {"bob": None}})
    s.do("call", event="presence", data={"users": ["bob", "carol"]})
    label = s.out("presence", {"users": ["bob", "carol"]})
    s.answer(
        label,
        {
            "presence": {
                "bob": {"state": "online"},
                "carol": {"state": "offline", "last_seen": "2026-01-01T00:00:00.000Z"},
            }
        },
    )
    s.result({"presence": {"bob": {"state": "online"}}})
    s.state(
        {
            "presence": {
                "bob": {"state": "online"},
                "carol": {"state": "offline", "last_seen": "2026-01-01T00:00:00.000Z"},
            }
        }
    )


@rule(PRESENCE)
def presence_follows_the_pushes(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="presence", data={"users": ["bob"]})
    s.answer(s.out("presence", {"users": ["bob"]}), {"presence": {"bob": {"state": "online"}}})
    s.push("presence", {"user": "bob", "state": "away"})
    s.state({"presence": {"bob": {"state": "away", "last_seen": None}}})
    s.push("presence", {"user": "bob", "state": "offline", "last_seen": "2026-01-01T00:00:00.000Z"})
    s.state({"presence": {"bob": {"state": "offline", "last_seen": "2026-01-01T00:00:00.000Z"}}})
    s.push("presence", {"user": "bob", "state": "online"})
    s.state({"presence": {"bob": {"state": "online", "last_seen": None}}})


@rule(CALLED_AGAIN)
def presence_is_called_again_after_a_break(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="presence", data={"users": ["bob"]})
    s.answer(s.out("presence", {"users": ["bob"]}), {"presence": {"bob": {"state": "online"}}})
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    label = s.out("presence", {"users": ["bob"]})
    s.answer(label, {"presence": {"bob": {"state": "away"}}})
    s.state({"presence": {"bob": {"state": "away"}}})


@rule(CALLED_AGAIN, "docs/protocol.md, presence: The users of the next `presence` replace them")
def presence_is_called_again_with_the_newest_users(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="presence", data={"users": ["bob"]})
    s.answer(s.out("presence", {"users": ["bob"]}), {"presence": {"bob": {"state": "online"}}})
    s.do("call", event="presence", data={"users": ["carol"]})
    s.answer(s.out("presence", {"users": ["carol"]}), {"presence": {"carol": {"state": "away"}}})
    s.comes_back(private("bob", 1))
    s.asks_sync({BOB: 1})
    s.out("presence", {"users": ["carol"]})


@rule(CALLED_AGAIN, "docs/protocol.md, presence: with an empty list nothing is pushed any more")
def presence_of_no_users_is_not_called_again(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="presence", data={"users": ["bob"]})
    s.answer(s.out("presence", {"users": ["bob"]}), {"presence": {"bob": {"state": "online"}}})
    s.do("call", event="presence", data={"users": []})
    s.answer(s.out("presence", {"users": []}), {"presence": {}})
    s.comes_back(private("bob", 1))
    s.synced(s.asks_sync({BOB: 1}), {BOB: missed(1)})


@rule(PRESENCE)
def refused_presence_is_an_error_of_its_call(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("call", event="presence", data={"users": ["bob"]})
    s.refuse(s.out("presence", {"users": ["bob"]}), error("invalid", field="users"))
    s.fails("invalid")
