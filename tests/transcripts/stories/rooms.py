"""The list of rooms, and how Rooms follow pushes and entries."""

from ..story import (
    BOB,
    CAKE,
    CAROL,
    DAVE,
    LAWN,
    TEA,
    UNAVAILABLE,
    Chapter,
    Story,
    at,
    deleted,
    edited,
    entry,
    error,
    group,
    invitation,
    me,
    message,
    missed,
    private,
    pushed,
    reacted,
)

CHAPTER = Chapter()
rule = CHAPTER.rule

LIST = "docs/clients.md, Rooms 1: The client takes the list of rooms from `ready`, and its further pages from `rooms`"
ORDER = "docs/clients.md, Rooms 4: `rooms` are ordered by `at` of `last`, the newest first, then by id; rooms without `last` come before them, by id"
FOLLOW = "docs/clients.md, Rooms 5: `last`, `head`, `me.unread` and the title follow the entries"
ASKED = "docs/clients.md, Rooms 5: After an entry above the Room's `head` that changes members or roles, or is a deletion, the client asks `room.get`"
UNKNOWN = "docs/protocol.md, Connect and resume 2: An `entry` of a room not known yet: ask `room.get`"
GONE = "docs/protocol.md, Apply pushes 4: `room.gone`: forget the cursor; docs/clients.md, Rooms 6"
INVITED = "docs/clients.md, Rooms 4: An invitation is a room whose `me.state` is `invited`"
GONE_INVITATION = "docs/clients.md, Rooms 1: An invitation that a whole list does not show any more is gone"
AS_OF = "docs/protocol.md, Apply pushes 5: A Room is as of its `head`"
OLD_INVITATION = "docs/protocol.md, Apply pushes 6: A Room that shows `me.state: invited`, with a `head` not above the client's cursor, is older than the user's joining"
IGNORES = "docs/protocol.md, Apply pushes 1: clients ignore kinds and fields that they do not know, and still advance their cursor"
UNREAD = "docs/protocol.md, mark: `unread` counts `message` entries of others, not deleted, above `read`, exact to 99, then 100"
NEW_ROOM = (
    "docs/protocol.md, Push room: For a new member `head` is the seq before the `entry` that made the user a member"
)


@rule(LIST)
def rooms_come_from_ready(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 2))
    s.state(
        {
            "rooms": [
                {"room": BOB, "kind": "private", "peer": "bob", "head": 3, "last": {"seq": 3, "body": "message 3"}},
                {"room": TEA, "kind": "group", "title": "Tea", "head": 2, "me": {"state": "member"}},
            ]
        }
    )


@rule(LIST)
def further_rooms_come_from_pages(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    first = s.out("rooms", {"after": "page-2"})
    s.answer(first, {"rooms": [private("carol", 8)], "next": "page-3"})
    second = s.out("rooms", {"after": "page-3"})
    s.answer(second, {"rooms": [group(TEA, "Tea", 7)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}, {"room": TEA}]})


@rule(LIST)
def empty_page_with_a_next_is_followed(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    s.answer(s.out("rooms", {"after": "page-2"}), {"rooms": [], "next": "page-3"})
    s.answer(s.out("rooms", {"after": "page-3"}), {"rooms": [private("carol", 1)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}]})


@rule(LIST)
def rooms_of_ready_are_shown_before_the_pages_come(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    s.out("rooms", {"after": "page-2"})
    s.status("online")
    s.state({"rooms": [{"room": BOB}]})


@rule(LIST)
def room_that_comes_twice_in_the_list_is_shown_once(s: Story) -> None:
    s.online(private("bob", 9), private("carol", 8), next="page-2")
    s.answer(s.out("rooms", {"after": "page-2"}), {"rooms": [private("carol", 8), private("dave", 1)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}, {"room": DAVE}]})


@rule(LIST)
def list_begins_anew_after_a_break_between_its_pages(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    s.out("rooms", {"after": "page-2"})
    s.comes_back(private("bob", 9), next="page-2b")
    s.synced(s.asks_sync({BOB: 9}), {BOB: missed(9)})
    s.answer(s.out("rooms", {"after": "page-2b"}), {"rooms": [private("carol", 1)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}]})


@rule(LIST, "docs/clients.md, Connection 7: After a temporary error it is asked again")
def refused_page_of_rooms_is_asked_again_after_its_pause(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    s.refuse(s.out("rooms", {"after": "page-2"}), error("rate_limited", temporary=True, retry_after_ms=700))
    s.wait(699)
    s.wait(1)
    s.answer(s.out("rooms", {"after": "page-2"}), {"rooms": [private("carol", 1)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}]})


@rule(LIST, "docs/protocol.md, Keys and retries 5: An error with `temporary: false` is final")
def page_of_rooms_that_is_refused_for_good_ends_the_list(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    s.refuse(s.out("rooms", {"after": "page-2"}), error("invalid", field="after"))
    s.wait(60_000)
    s.status("online")
    s.state({"rooms": [{"room": BOB}]})


@rule(ORDER)
def rooms_are_ordered_by_last_entry(s: Story) -> None:
    s.online(private("carol", 1, minute=5), private("bob", 1, minute=9), group(TEA, "Tea", 1, minute=7))
    s.state({"rooms": [{"room": BOB}, {"room": TEA}, {"room": CAROL}]})


@rule(ORDER)
def rooms_with_last_entries_of_the_same_time_are_ordered_by_id(s: Story) -> None:
    s.online(group(TEA, "Tea", 1, minute=5), private("carol", 1, minute=5), private("bob", 1, minute=5))
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}, {"room": TEA}]})


@rule(ORDER)
def rooms_without_last_entry_come_first(s: Story) -> None:
    s.online(private("bob", 9), invitation(TEA, "Tea"), invitation(CAKE, "Cake"))
    s.state({"rooms": [{"room": CAKE}, {"room": TEA}, {"room": BOB}]})


@rule(ORDER, FOLLOW)
def room_with_a_new_entry_moves_to_the_top(s: Story) -> None:
    s.online(private("bob", 9), private("carol", 3))
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}]})
    s.entry(message(CAROL, 4, "carol", "news", minute=30))
    s.state({"rooms": [{"room": CAROL, "last": {"body": "news"}}, {"room": BOB}]})


@rule(ORDER, FOLLOW)
def own_message_moves_its_room_to_the_top_with_its_entry(s: Story) -> None:
    s.online(private("bob", 9), private("carol", 3))
    label = s.sends(CAROL, "hi", "k1")
    s.sent(label, CAROL, 4)
    s.entry(message(CAROL, 4, "alice", "hi", key="$k1", minute=30))
    s.state({"rooms": [{"room": CAROL, "last": {"seq": 4}}, {"room": BOB}]})


@rule(FOLLOW)
def message_of_another_user_raises_head_last_and_unread(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(message(BOB, 4, "bob", "four"))
    s.state({f"room {BOB}": {"head": 4, "last": {"seq": 4, "body": "four"}, "me": {"read": 3, "unread": 1}}})
    s.entry(message(BOB, 5, "bob", "five"))
    s.state({f"room {BOB}": {"head": 5, "last": {"seq": 5}, "me": {"unread": 2}}})


@rule(UNREAD)
def own_message_is_not_unread(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(message(BOB, 4, "alice", "from my other device"))
    s.state({f"room {BOB}": {"head": 4, "last": {"seq": 4}, "me": {"unread": 0}}})


@rule(UNREAD)
def edit_and_reaction_are_not_unread(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(edited(BOB, 4, 3, "better"), reacted(BOB, 5, 3, "👍"))
    s.state({f"room {BOB}": {"head": 5, "last": {"seq": 5, "kind": "reacted"}, "me": {"unread": 0}}})


@rule(UNREAD)
def unread_stays_at_100(s: Story) -> None:
    s.online(private("bob", 300, me=me(unread=99)))
    s.entry(message(BOB, 301, "bob", "one"))
    s.state({f"room {BOB}": {"me": {"unread": 100}}})
    s.entry(message(BOB, 302, "bob", "two"))
    s.state({f"room {BOB}": {"head": 302, "me": {"unread": 100}}})


@rule(FOLLOW)
def new_title_is_shown(s: Story) -> None:
    s.online(group(TEA, "Tea", 3, me=me(read=3)))
    s.entry(entry(TEA, 4, "updated", "bob", title="Tea at five"))
    s.state({f"room {TEA}": {"title": "Tea at five", "head": 4, "last": {"kind": "updated"}, "me": {"unread": 0}}})


@rule(FOLLOW)
def entry_that_comes_twice_counts_once(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(message(BOB, 4, "bob", "four"), message(BOB, 4, "bob", "four"))
    s.state({f"room {BOB}": {"head": 4, "me": {"unread": 1}}})


@rule(FOLLOW)
def old_entry_does_not_lower_head_and_last(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(message(BOB, 4, "bob", "four"), message(BOB, 2, "bob", "message 2"))
    s.state({f"room {BOB}": {"head": 4, "last": {"seq": 4}, "me": {"unread": 1}}})


@rule(IGNORES, FOLLOW)
def entry_of_unknown_kind_raises_head(s: Story) -> None:
    s.online(private("bob", 3, me=me(read=3)))
    s.entry(entry(BOB, 4, "confetti", "bob", colours=["red"]), message(BOB, 5, "bob", "five"))
    s.state({f"room {BOB}": {"head": 5, "last": {"seq": 5}, "me": {"unread": 1}}})


@rule("docs/protocol.md, Sizes: the body in a Room's `last` is cut, with `cut: true`")
def last_of_a_room_may_be_cut(s: Story) -> None:
    s.online(private("bob", 3, last=message(BOB, 3, "bob", "a long", cut=True)))
    s.state({f"room {BOB}": {"last": {"seq": 3, "body": "a long", "cut": True}}})


def asks_for_the_room_after(kind: str, **fields: str) -> None:
    @rule(ASKED)
    def story(s: Story) -> None:
        s.online(group(TEA, "Tea", 3))
        s.entry(entry(TEA, 4, kind, "bob") | fields)
        label = s.out("room.get", {"room": TEA})
        s.answer(label, group(TEA, "Tea", 4, members_count=7, last=entry(TEA, 4, kind, "bob") | fields))
        s.state({f"room {TEA}": {"head": 4, "members_count": 7, "last": {"kind": kind}}})

    CHAPTER.rename(story, f"room_is_asked_after_an_entry_{kind}")


asks_for_the_room_after("joined", user="carol", role="member")
asks_for_the_room_after("left", user="carol")
asks_for_the_room_after("removed", user="carol", reason="no cake")
asks_for_the_room_after("banned", user="carol")
asks_for_the_room_after("role", user="alice", role="admin")


@rule(ASKED)
def room_is_not_asked_after_entries_that_change_no_member(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.entry(entry(TEA, 4, "invited", "bob", user="carol"), entry(TEA, 5, "unbanned", "bob", user="dave"))
    s.entry(edited(TEA, 6, 3, "better"), reacted(TEA, 7, 3, "👍"))
    s.state({f"room {TEA}": {"head": 7}})


@rule(ASKED)
def room_is_asked_after_a_deletion(s: Story) -> None:
    s.online(private("bob", 3, me=me(unread=3)))
    s.entry(deleted(BOB, 4, 2))
    label = s.out("room.get", {"room": BOB})
    s.answer(label, private("bob", 4, me=me(unread=2), last=deleted(BOB, 4, 2)))
    s.state({f"room {BOB}": {"head": 4, "last": {"kind": "deleted"}, "me": {"unread": 2}}})


@rule(AS_OF, ASKED)
def entry_that_overtook_the_answer_of_room_get_is_applied_to_it(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.entry(entry(TEA, 4, "joined", "carol", user="carol", role="member"))
    label = s.out("room.get", {"room": TEA})
    s.entry(message(TEA, 5, "carol", "hi all"))
    joined = entry(TEA, 4, "joined", "carol", user="carol", role="member")
    s.answer(label, group(TEA, "Tea", 4, members_count=3, last=joined))
    s.state({f"room {TEA}": {"head": 5, "members_count": 3, "last": {"seq": 5}, "me": {"unread": 1}}})


@rule(AS_OF, LIST)
def entry_that_overtook_a_page_of_rooms_is_applied_to_its_room(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    label = s.out("rooms", {"after": "page-2"})
    s.entry(message(BOB, 10, "bob", "ten"))
    s.answer(label, {"rooms": [private("bob", 9), private("carol", 1)]})
    s.state({"rooms": [{"room": BOB, "head": 10, "last": {"seq": 10}, "me": {"unread": 1}}, {"room": CAROL}]})


@rule(AS_OF, ASKED)
def second_change_before_the_answer_of_room_get_is_asked_too(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    carol = entry(TEA, 4, "joined", "carol", user="carol", role="member")
    dave = entry(TEA, 5, "joined", "dave", user="dave", role="member")
    s.entry(carol)
    first = s.out("room.get", {"room": TEA})
    s.entry(dave)
    s.answer(first, group(TEA, "Tea", 4, members_count=3, last=carol))
    second = s.out("room.get", {"room": TEA})
    s.answer(second, group(TEA, "Tea", 5, members_count=4, last=dave))
    s.state({f"room {TEA}": {"head": 5, "members_count": 4}})


@rule(ASKED, "docs/protocol.md, Keys and retries 3")
def room_get_that_fails_temporarily_is_asked_again(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.entry(entry(TEA, 4, "left", "carol", user="carol"))
    s.refuse(s.out("room.get", {"room": TEA}), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    label = s.out("room.get", {"room": TEA})
    s.answer(label, group(TEA, "Tea", 4, members_count=1, last=entry(TEA, 4, "left", "carol", user="carol")))
    s.state({f"room {TEA}": {"members_count": 1}})


@rule(NEW_ROOM)
def new_room_is_shown_with_its_first_entry(s: Story) -> None:
    s.online(private("bob", 3))
    s.push("room", pushed(private("carol", 0)))
    opens = {"kind": "private", "members": {"alice": "member", "carol": "member"}}
    s.entry(message(CAROL, 1, "carol", "hello", opens=opens, minute=30))
    s.state({"rooms": [{"room": CAROL, "head": 1, "last": {"body": "hello"}, "me": {"unread": 1}}, {"room": BOB}]})


@rule(NEW_ROOM)
def new_room_without_an_entry_yet_is_shown_first(s: Story) -> None:
    s.online(private("bob", 3))
    s.push("room", pushed(private("carol", 0)))
    s.state({"rooms": [{"room": CAROL, "head": 0}, {"room": BOB}]})


@rule(NEW_ROOM, ASKED)
def group_that_the_user_was_added_to_is_shown(s: Story) -> None:
    s.online()
    s.push("room", pushed(group(TEA, "Tea", 0)))
    opens = {"kind": "group", "members": {"bob": "owner", "alice": "member"}, "title": "Tea"}
    s.entry(entry(TEA, 1, "opened", "bob", key="bob-key-1", opens=opens))
    s.state({"rooms": [{"room": TEA, "title": "Tea", "head": 1, "last": {"kind": "opened"}}]})


@rule(UNKNOWN)
def room_of_an_entry_that_is_not_known_is_asked(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(message(CAROL, 7, "carol", "message 7"))
    s.answer(s.out("room.get", {"room": CAROL}), private("carol", 7, me=me(unread=2)))
    s.state({"rooms": [{"room": CAROL, "head": 7, "last": {"seq": 7}, "me": {"unread": 2}}, {"room": BOB}]})


@rule(UNKNOWN)
def several_entries_of_an_unknown_room_ask_once(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(message(CAROL, 7, "carol", "message 7"))
    label = s.out("room.get", {"room": CAROL})
    s.entry(message(CAROL, 8, "carol", "message 8"))
    s.answer(label, private("carol", 8, me=me(unread=2)))
    s.state({f"room {CAROL}": {"head": 8, "me": {"unread": 2}}})


@rule(UNKNOWN)
def unknown_room_that_is_refused_stays_unknown(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(message(LAWN, 7, "carol", "message 7"))
    s.refuse(s.out("room.get", {"room": LAWN}), error("not_found"))
    s.state({"rooms": [{"room": BOB}], f"room {LAWN}": None})
    s.wait(60_000)


@rule(UNKNOWN, "docs/protocol.md, room.get: a stranger gets a public room without `me`")
def public_room_of_others_is_not_shown(s: Story) -> None:
    s.online(private("bob", 3))
    s.entry(message(LAWN, 7, "carol", "message 7"))
    stranger = {"room": LAWN, "epoch": "epoch-1", "kind": "public", "title": "Lawn", "head": 7, "members_count": 2}
    s.answer(s.out("room.get", {"room": LAWN}), stranger)
    s.state({"rooms": [{"room": BOB}]})


@rule("docs/clients.md, The surface: `room.info` is null if the user has no such room")
def room_that_the_user_does_not_have_is_null(s: Story) -> None:
    s.online(private("bob", 3))
    s.state({f"room {CAROL}": None, f"room {TEA}": None, f"messages {CAROL}": []})


@rule(INVITED)
def invitation_in_the_list_is_shown(s: Story) -> None:
    s.online(invitation(TEA, "Tea"))
    s.state({"rooms": [{"room": TEA, "title": "Tea", "me": {"state": "invited"}, "last": None}]})


@rule(INVITED)
def invitation_that_is_pushed_is_shown(s: Story) -> None:
    s.online(private("bob", 3))
    s.push("room", invitation(TEA, "Tea"))
    s.state({"rooms": [{"room": TEA, "me": {"state": "invited"}}, {"room": BOB}]})


@rule(GONE, INVITED)
def withdrawn_invitation_is_gone(s: Story) -> None:
    s.online(invitation(TEA, "Tea"))
    s.push("room.gone", {"room": TEA})
    s.state({"rooms": [], f"room {TEA}": None})


@rule(INVITED, NEW_ROOM, ASKED)
def accepted_invitation_becomes_a_room(s: Story) -> None:
    s.online(invitation(TEA, "Tea", 5))
    s.do("call", event="room.join", data={"room": TEA})
    label = s.out("room.join", {"room": TEA})
    s.answer(label, {"seq": 6, "duplicate": False})
    s.result({"seq": 6})
    joined = entry(TEA, 6, "joined", "alice", user="alice", role="member")
    s.push("room", pushed(group(TEA, "Tea", 5, me=me(read=6))))
    s.entry(joined)
    asked = s.out("room.get", {"room": TEA})
    s.answer(asked, group(TEA, "Tea", 6, me=me(read=6), last=joined))
    s.state({"rooms": [{"room": TEA, "head": 6, "me": {"state": "member"}, "last": {"kind": "joined"}}]})


@rule(OLD_INVITATION)
def invitation_older_than_the_joining_is_ignored(s: Story) -> None:
    s.online(group(TEA, "Tea", 6))
    s.push("room", invitation(TEA, "Tea", 5))
    s.state({"rooms": [{"room": TEA, "head": 6, "me": {"state": "member"}}]})


@rule(GONE_INVITATION)
def invitation_withdrawn_while_offline_is_gone(s: Story) -> None:
    s.online(invitation(TEA, "Tea"))
    s.comes_back()
    s.state({"rooms": []})


@rule(GONE_INVITATION)
def invitation_is_kept_until_the_list_is_whole(s: Story) -> None:
    s.online(private("bob", 9), invitation(TEA, "Tea"))
    s.comes_back(private("bob", 9), next="page-2")
    s.synced(s.asks_sync({BOB: 9}), {BOB: missed(9)})
    label = s.out("rooms", {"after": "page-2"})
    s.state({"rooms": [{"room": TEA}, {"room": BOB}]})
    s.answer(label, {"rooms": [invitation(TEA, "Tea")]})
    s.state({"rooms": [{"room": TEA}, {"room": BOB}]})


@rule(GONE_INVITATION, "docs/clients.md, Connection 6: `sync` with the cursors of its rooms")
def invitation_that_is_still_there_has_no_cursor(s: Story) -> None:
    s.online(private("bob", 9), invitation(TEA, "Tea"))
    s.comes_back(private("bob", 9), invitation(TEA, "Tea"))
    s.synced(s.asks_sync({BOB: 9}), {BOB: missed(9)})
    s.state({"rooms": [{"room": TEA}, {"room": BOB}]})


@rule(GONE)
def room_that_the_user_left_is_gone(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 5))
    s.opened(BOB, 3)
    s.push("room.gone", {"room": TEA})
    s.state({"rooms": [{"room": BOB}], f"room {TEA}": None, f"messages {TEA}": []})


@rule(GONE)
def messages_of_a_room_that_is_gone_are_dropped(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.shows(TEA, {"seq": 1}, {"seq": 2}, {"seq": 3})
    s.push("room.gone", {"room": TEA})
    s.shows(TEA)
    s.state({"rooms": []})


@rule(GONE, "docs/protocol.md, Connect and resume 3: `sync` with the last seq of each room")
def room_that_is_gone_is_not_synced(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 5))
    s.push("room.gone", {"room": TEA})
    s.comes_back(private("bob", 3))
    s.asks_sync({BOB: 3})


@rule(GONE, NEW_ROOM)
def room_that_was_gone_may_come_again(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.push("room.gone", {"room": TEA})
    s.push("room", pushed(group(TEA, "Tea", 7)))
    label = s.asks_page(TEA, 1, 7)
    joined = entry(TEA, 8, "joined", "alice", user="alice", role="member")
    s.entry(joined)
    s.page(label, TEA, [message(TEA, seq, "bob", f"message {seq}") for seq in range(1, 8)], 7, before=False, after=True)
    asked = s.out("room.get", {"room": TEA})
    s.answer(asked, group(TEA, "Tea", 8, last=joined))
    s.state({f"room {TEA}": {"head": 8}})
    s.shows(TEA, *({"seq": seq} for seq in range(1, 9)))


@rule(GONE)
def answer_of_room_get_after_room_gone_is_ignored(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.entry(entry(TEA, 4, "role", "bob", user="alice", role="admin"))
    label = s.out("room.get", {"room": TEA})
    s.push("room.gone", {"room": TEA})
    s.answer(label, group(TEA, "Tea", 4))
    s.state({"rooms": []})


@rule("docs/clients.md, The surface: `client.room({with: user})`; nothing is created before its first message")
def room_with_a_user_sends_nothing_before_its_first_message(s: Story) -> None:
    s.online()
    s.do("open", **{"with": "bob"})
    s.state({"rooms": [], f"room {BOB}": None, f"messages {BOB}": []})
    s.wait(60_000)


@rule("docs/protocol.md, message.send: Only `to` opens a room", NEW_ROOM)
def first_message_to_a_user_opens_the_room(s: Story) -> None:
    s.online()
    s.do("open", **{"with": "bob"})
    s.do("send", **{"with": "bob"}, body="hello")
    label = s.out("message.send", {"to": "bob", "body": "hello", "key": "$k1"})
    s.shows(BOB, {"body": "hello", "state": "sending"})
    s.sent(label, BOB, 1)
    s.push("room", pushed(private("bob", 0)))
    opens = {"kind": "private", "members": {"alice": "member", "bob": "member"}}
    s.entry(message(BOB, 1, "alice", "hello", key="$k1", opens=opens))
    s.shows(BOB, {"seq": 1, "body": "hello", "state": "sent"})
    s.state({"rooms": [{"room": BOB, "head": 1, "peer": "bob"}]})


@rule("docs/clients.md, Messages 3: A room that was got by `with` sends `to`")
def first_message_to_a_user_is_repeated_with_to(s: Story) -> None:
    s.online()
    s.do("send", **{"with": "bob"}, body="hello")
    s.out("message.send", {"to": "bob", "body": "hello", "key": "$k1"})
    s.comes_back()
    label = s.out("message.send", {"to": "bob", "body": "hello", "key": "$k1"})
    s.sent(label, BOB, 1)
    s.state({"store": []})


@rule("docs/protocol.md, Room ids: each escaped (UTF-8 bytes outside `A-Za-z0-9._` become `~XX`)")
def room_with_a_user_of_an_unusual_name_has_the_escaped_id(s: Story) -> None:
    s.online()
    s.do("open", **{"with": "zoë b"})
    room = "pvt-alice-zo~C3~AB~20b"
    s.do("send", **{"with": "zoë b"}, body="hello")
    s.out("message.send", {"to": "zoë b", "body": "hello", "key": "$k1"})
    s.shows(room, {"body": "hello", "state": "sending"})


@rule("docs/protocol.md, Room ids: the two users in code-point order")
def room_with_a_user_of_a_smaller_name_has_that_user_first(s: Story) -> None:
    s.online()
    s.do("open", **{"with": "Zed"})
    s.do("send", **{"with": "Zed"}, body="hello")
    s.out("message.send", {"to": "Zed", "body": "hello", "key": "$k1"})
    s.shows("pvt-Zed-alice", {"body": "hello", "state": "sending"})


@rule("docs/protocol.md, Users: A user may write to themselves: the private room `pvt-a-a`")
def notes_to_oneself_are_a_room(s: Story) -> None:
    s.online()
    s.do("open", **{"with": "alice"})
    s.do("send", **{"with": "alice"}, body="a note")
    label = s.out("message.send", {"to": "alice", "body": "a note", "key": "$k1"})
    s.sent(label, "pvt-alice-alice", 1)
    s.shows("pvt-alice-alice", {"body": "a note", "state": "sent"})


@rule("docs/protocol.md, Push marker", FOLLOW)
def own_marker_of_another_device_changes_unread(s: Story) -> None:
    s.online(private("bob", 5, me=me(read=1, unread=4)))
    s.push("marker", {"room": BOB, "user": "alice", "read": 3, "delivered": 5, "unread": 2})
    s.state({f"room {BOB}": {"me": {"read": 3, "delivered": 5, "unread": 2}}})


@rule("docs/protocol.md, Push marker")
def marker_of_another_user_is_shown(s: Story) -> None:
    s.online(private("bob", 5))
    s.push("marker", {"room": BOB, "user": "bob", "read": 4, "delivered": 5})
    s.state({f"room {BOB}": {"markers": {"bob": {"read": 4, "delivered": 5}, "alice": {"read": 0}}}})


@rule("docs/protocol.md, Push marker", IGNORES)
def marker_of_an_unknown_room_is_ignored(s: Story) -> None:
    s.online(private("bob", 5))
    s.push("marker", {"room": CAROL, "user": "carol", "read": 4, "delivered": 5})
    s.state({"rooms": [{"room": BOB}]})


@rule(FOLLOW, "docs/protocol.md, mark: A `joined` entry sets its user's `read` and `delivered` to its seq")
def unread_counts_from_the_joining(s: Story) -> None:
    s.online()
    s.push("room", pushed(group(TEA, "Tea", 5, me=me(read=6))))
    joined = entry(TEA, 6, "joined", "alice", user="alice", role="member")
    s.entry(joined)
    s.answer(s.out("room.get", {"room": TEA}), group(TEA, "Tea", 6, me=me(read=6), last=joined))
    s.entry(message(TEA, 7, "bob", "welcome"))
    s.state({f"room {TEA}": {"head": 7, "me": {"read": 6, "unread": 1}}})


@rule(ORDER)
def time_of_last_orders_rooms_not_their_length(s: Story) -> None:
    s.online(private("bob", 500, minute=1), private("carol", 1, minute=2))
    s.state({"rooms": [{"room": CAROL, "last": {"at": at(2)}}, {"room": BOB, "last": {"at": at(1)}}]})


@rule(AS_OF, LIST)
def page_of_rooms_that_overtook_an_entry_is_not_counted_twice(s: Story) -> None:
    s.online(private("bob", 9), next="page-2")
    label = s.out("rooms", {"after": "page-2"})
    s.answer(label, {"rooms": [private("bob", 10, me=me(unread=1)), private("carol", 1)]})
    s.state({f"room {BOB}": {"head": 10, "me": {"unread": 1}}})
    s.entry(message(BOB, 10, "bob", "message 10"), message(BOB, 11, "bob", "message 11"))
    s.state({f"room {BOB}": {"head": 11, "last": {"seq": 11}, "me": {"unread": 2}}})


@rule(AS_OF, ASKED)
def answer_of_room_get_that_overtook_an_entry_is_not_counted_twice(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    carol = entry(TEA, 4, "joined", "carol", user="carol", role="member")
    s.entry(carol)
    label = s.out("room.get", {"room": TEA})
    s.answer(label, group(TEA, "Tea", 5, members_count=3, me=me(unread=1)))
    s.entry(message(TEA, 5, "bob", "message 5"))
    s.state({f"room {TEA}": {"head": 5, "members_count": 3, "me": {"unread": 1}}})
