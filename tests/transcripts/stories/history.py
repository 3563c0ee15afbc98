"""Opening rooms, gaps at every place, and older entries."""

from ..story import (
    BOB,
    CAROL,
    TEA,
    UNAVAILABLE,
    Chapter,
    Story,
    edited,
    entry,
    error,
    group,
    message,
    messages,
    missed,
    private,
    pushed,
    reacted,
    shown,
)

CHAPTER = Chapter()
rule = CHAPTER.rule

OPEN = "docs/clients.md, Rooms 3: Opening a room loads those of the newest 50 entries that the client lacks"
GAPS = "docs/clients.md, Rooms 3: Above the oldest entry that was asked for, gaps are paged, the newest first, until there is none"
LACKING = "docs/clients.md, Rooms 3: A page asks only for entries that are lacking"
ONLY_MORE = "docs/clients.md, Rooms 3: Below it, only `more` loads"
NOT_OPEN = "docs/clients.md, Rooms 2: Of a room that is not open the client keeps its Room and its newest entries, and does not page"
CONTIGUOUS = "docs/clients.md, Messages 1: contiguous from the oldest that is shown to the newest"
HIDDEN = "docs/clients.md, Messages 1: Entries below a gap are shown when the gap is closed"
CUT = "docs/protocol.md, history: A page cut for size loses the entries farthest from the anchor"
MORE = "docs/clients.md, The surface: `more` loads older entries; awaited for whether still older ones are left"
COUNTS = "docs/clients.md, Rooms 3: Below it, only `more` loads, and `count` counts from it"
ONE = "docs/clients.md, Connection 7: one command at a time"
AGAIN = "docs/clients.md, Connection 7: After a temporary error it is asked again, after the pause"
TWICE = "docs/protocol.md, Apply pushes 1: drop it when the client already has it by `(room, seq)`"
ROOM_GAP = "docs/protocol.md, Apply pushes 3: `room` with a `head` above the cursor is a gap"
KINDS = "docs/clients.md, Messages 1: `messages` has every entry but `edited`, `deleted` and `reacted`"


def fifty(s: Story, room: str = BOB) -> None:
    """Be online with a room of 80 entries, of which the newest 50 are shown."""
    s.online(private("bob", 80))
    s.do("open", room=room)
    s.page(s.asks_page(room, 31, 80), room, messages(room, 31, 80), 80, before=True)


@rule(OPEN)
def opening_loads_the_whole_of_a_short_room(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule(OPEN)
def opening_loads_the_newest_fifty(s: Story) -> None:
    fifty(s)
    s.shows(BOB, *shown(*range(31, 81)))


@rule(OPEN)
def opening_a_room_without_entries_asks_nothing(s: Story) -> None:
    s.online()
    s.push("room", pushed(private("bob", 0)))
    s.do("open", room=BOB)
    s.shows(BOB)


@rule(OPEN)
def room_shows_nothing_until_its_page_comes(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.asks_page(BOB, 1, 3)
    s.shows(BOB)


@rule(OPEN)
def opening_twice_asks_once(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.do("open", room=BOB)
    s.shows(BOB, *shown(1, 2, 3))


@rule(OPEN)
def room_opened_before_ready_is_loaded_after_it(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.do("open", room=BOB)
    s.ready(private("bob", 3))
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule(OPEN)
def room_opened_while_offline_is_loaded_after_sync(s: Story) -> None:
    s.online(private("bob", 3))
    s.breaks()
    s.do("open", room=BOB)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(3)})
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule("docs/clients.md, Rooms 3: A room that the user does not have is not asked for; it loads when it comes")
def open_room_loads_when_the_list_shows_it(s: Story) -> None:
    s.online(private("carol", 9), next="page-2")
    label = s.out("rooms", {"after": "page-2"})
    s.do("open", room=BOB)
    s.answer(label, {"rooms": [private("bob", 3)]})
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule("docs/clients.md, Rooms 3: A room that the user does not have is not asked for; it loads when it comes", ROOM_GAP)
def open_room_loads_when_it_is_pushed(s: Story) -> None:
    s.online()
    s.do("open", room=TEA)
    s.push("room", pushed(group(TEA, "Tea", 2)))
    s.page(s.asks_page(TEA, 1, 2), TEA, messages(TEA, 1, 2), 2, before=False)
    s.shows(TEA, *shown(1, 2))


@rule(OPEN, LACKING)
def opening_does_not_ask_for_entries_that_were_pushed(s: Story) -> None:
    s.online(private("bob", 80))
    s.entry(*messages(BOB, 81, 83))
    s.do("open", room=BOB)
    s.page(s.asks_page(BOB, 34, 80), BOB, messages(BOB, 34, 80), 83, before=True, after=True)
    s.shows(BOB, *shown(*range(34, 84)))


@rule(OPEN, "docs/clients.md, Rooms 3: the `last` of a Room may be cut, and counts as lacking")
def last_of_a_room_is_loaded_whole(s: Story) -> None:
    s.online(private("bob", 1, last=message(BOB, 1, "bob", "a long", cut=True)))
    s.do("open", room=BOB)
    s.page(s.asks_page(BOB, 1, 1), BOB, [message(BOB, 1, "bob", "a long story")], 1, before=False)
    s.shows(BOB, {"seq": 1, "body": "a long story", "cut": None})


@rule(OPEN)
def entry_that_comes_while_the_page_is_asked_is_shown_at_once(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 3)
    s.entry(message(BOB, 4, "bob", "message 4"))
    s.shows(BOB, *shown(4))
    s.page(label, BOB, messages(BOB, 1, 3), 4, before=False, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4))


@rule(CUT, GAPS)
def page_cut_short_is_followed_by_another(s: Story) -> None:
    s.online(private("bob", 80))
    s.do("open", room=BOB)
    s.page(s.asks_page(BOB, 31, 80), BOB, messages(BOB, 71, 80), 80, before=True)
    label = s.asks_page(BOB, 31, 70)
    s.shows(BOB, *shown(*range(71, 81)))
    s.page(label, BOB, messages(BOB, 41, 70), 80, before=True, after=True)
    s.page(s.asks_page(BOB, 31, 40), BOB, messages(BOB, 31, 40), 80, before=True, after=True)
    s.shows(BOB, *shown(*range(31, 81)))


@rule(CUT, GAPS)
def page_of_one_entry_is_followed_by_another(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 3, 3), 3, before=True)
    s.page(s.asks_page(BOB, 1, 2), BOB, messages(BOB, 2, 2), 3, before=True, after=True)
    s.page(s.asks_page(BOB, 1, 1), BOB, messages(BOB, 1, 1), 3, before=False, after=True)
    s.shows(BOB, *shown(1, 2, 3))


@rule(TWICE)
def page_with_more_than_was_asked_for_shows_nothing_twice(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 3)
    s.entry(message(BOB, 4, "bob", "message 4"))
    s.page(label, BOB, messages(BOB, 1, 4), 4, before=False)
    s.shows(BOB, *shown(1, 2, 3, 4))


@rule(NOT_OPEN)
def room_that_is_not_open_is_not_paged(s: Story) -> None:
    s.online(private("bob", 80), private("carol", 3))
    s.entry(message(BOB, 81, "bob", "message 81"))
    s.wait(60_000)
    s.status("online")


@rule(ROOM_GAP, GAPS)
def room_with_a_higher_head_is_a_gap(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.push("room", pushed(group(TEA, "Tea", 6)))
    s.page(s.asks_page(TEA, 4, 6), TEA, messages(TEA, 4, 6), 6, before=True)
    s.shows(TEA, *shown(1, 2, 3, 4, 5, 6))


@rule(ROOM_GAP)
def room_with_a_head_not_above_the_cursor_is_no_gap(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.opened(TEA, 3)
    s.push("room", pushed(group(TEA, "Tea", 3)))
    s.push("room", pushed(group(TEA, "Tea", 2)))
    s.shows(TEA, *shown(1, 2, 3))


@rule(GAPS, ROOM_GAP)
def entry_after_a_gap_is_shown_at_once(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.push("room", pushed(private("bob", 5)))
    label = s.asks_page(BOB, 4, 5)
    s.entry(message(BOB, 6, "bob", "message 6"))
    s.shows(BOB, *shown(6))
    s.page(label, BOB, messages(BOB, 4, 5), 6, before=True, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6))


@rule(GAPS)
def gap_of_one_entry_is_paged(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.push("room", pushed(private("bob", 4)))
    label = s.asks_page(BOB, 4, 4)
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.page(label, BOB, messages(BOB, 4, 4), 5, before=True, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5))


@rule(GAPS, HIDDEN)
def newest_of_two_gaps_is_paged_first(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 6))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(6, status="gap")})
    s.asks_page(BOB, 4, 6)
    s.comes_back(private("bob", 9))
    s.synced(s.asks_sync({BOB: 6}), {BOB: missed(9, status="gap")})
    # 4 to 9 are lacking: the client may take them as one gap or as two
    label = s.out("history", {"room": BOB, "lacks": ["$first", 9]})
    s.entry(message(BOB, 10, "bob", "message 10"))
    s.shows(BOB, *shown(10))
    s.page(label, BOB, messages(BOB, 7, 9), 10, before=True, after=True)
    label = s.asks_page(BOB, 4, 6)
    s.shows(BOB, *shown(7, 8, 9, 10))
    s.page(label, BOB, messages(BOB, 4, 6), 10, before=True, after=True)
    s.shows(BOB, *shown(*range(1, 11)))


@rule(GAPS, CONTIGUOUS)
def gap_below_entries_of_sync_is_closed(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 6))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(6, status="gap")})
    label = s.asks_page(BOB, 4, 6)
    s.entry(*messages(BOB, 7, 8))
    s.shows(BOB, *shown(7, 8))
    s.page(label, BOB, messages(BOB, 5, 6), 8, before=True, after=True)
    label = s.asks_page(BOB, 4, 4)
    s.shows(BOB, *shown(5, 6, 7, 8))
    s.page(label, BOB, messages(BOB, 4, 4), 8, before=True, after=True)
    s.shows(BOB, *shown(1, 2, 3, 4, 5, 6, 7, 8))


@rule(ONE)
def two_rooms_are_paged_one_after_another(s: Story) -> None:
    s.online(private("bob", 3), private("carol", 2))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 3)
    s.do("open", room=CAROL)
    s.wait(100)
    s.page(label, BOB, messages(BOB, 1, 3), 3, before=False)
    s.page(s.asks_page(CAROL, 1, 2), CAROL, messages(CAROL, 1, 2, "carol"), 2, before=False)
    s.shows(CAROL, *shown(1, 2))


@rule(AGAIN)
def page_that_fails_temporarily_is_asked_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.refuse(s.asks_page(BOB, 1, 3), UNAVAILABLE)
    s.wait(99)
    s.wait(1)
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule(AGAIN)
def page_that_fails_twice_waits_twice_as_long(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.refuse(s.asks_page(BOB, 1, 3), UNAVAILABLE)
    s.wait(100)
    s.refuse(s.asks_page(BOB, 1, 3), UNAVAILABLE)
    s.wait(199)
    s.wait(1)
    s.asks_page(BOB, 1, 3)


@rule(GAPS)
def break_before_the_first_page_asks_it_again(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("open", room=BOB)
    s.asks_page(BOB, 1, 3)
    s.comes_back(private("bob", 3))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(3)})
    s.page(s.asks_page(BOB, 1, 3), BOB, messages(BOB, 1, 3), 3, before=False)
    s.shows(BOB, *shown(1, 2, 3))


@rule("docs/protocol.md, Rights: a user who left, was removed or banned gets `not_found`", "docs/clients.md, Rooms 6")
def page_of_a_room_that_is_gone_is_not_asked_for_ever(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.do("open", room=TEA)
    label = s.asks_page(TEA, 1, 3)
    s.push("room.gone", {"room": TEA})
    s.refuse(label, error("not_found"))
    s.wait(60_000)
    s.shows(TEA)
    s.state({"rooms": []})


@rule("docs/clients.md, Rooms 6")
def page_that_comes_after_room_gone_is_dropped(s: Story) -> None:
    s.online(group(TEA, "Tea", 3))
    s.do("open", room=TEA)
    label = s.asks_page(TEA, 1, 3)
    s.push("room.gone", {"room": TEA})
    s.page(label, TEA, messages(TEA, 1, 3), 3, before=False)
    s.shows(TEA)


@rule(KINDS)
def entries_of_other_kinds_are_shown_too(s: Story) -> None:
    s.online(group(TEA, "Tea", 4))
    joined = entry(TEA, 2, "joined", "carol", user="carol", role="member")
    titled = entry(TEA, 3, "updated", "bob", title="Tea")
    confetti = entry(TEA, 4, "confetti", "bob", colours=["red"])
    s.opened(TEA, 4, [message(TEA, 1, "bob", "message 1"), joined, titled, confetti])
    s.shows(
        TEA,
        {"seq": 1, "kind": "message"},
        {"seq": 2, "kind": "joined", "user": "carol"},
        {"seq": 3, "kind": "updated", "title": "Tea"},
        {"seq": 4, "kind": "confetti", "colours": ["red"]},
    )


@rule(KINDS, CONTIGUOUS)
def changes_are_no_gaps(s: Story) -> None:
    s.online(private("bob", 4))
    two = message(BOB, 2, "bob", "better", version=2, edited_at="2026-01-01T00:03:00.000Z")
    s.opened(
        BOB,
        4,
        [message(BOB, 1, "bob", "message 1"), two, edited(BOB, 3, 2, "better"), message(BOB, 4, "bob", "message 4")],
    )
    s.shows(BOB, {"seq": 1}, {"seq": 2, "body": "better"}, {"seq": 4})


@rule(MORE)
def more_loads_older_entries(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, count=20)
    s.page(s.asks_page(BOB, 11, 30), BOB, messages(BOB, 11, 30), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(11, 81)))


@rule(MORE)
def more_up_to_the_first_entry_says_that_nothing_is_left(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, count=50)
    s.page(s.asks_page(BOB, 1, 30), BOB, messages(BOB, 1, 30), 80, before=False, after=True)
    s.result(False)
    s.shows(BOB, *shown(*range(1, 81)))


@rule(MORE)
def more_of_a_whole_room_asks_nothing(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.do("more", room=BOB, count=20)
    s.result(False)


@rule(MORE, CUT)
def more_follows_pages_that_are_cut_short(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, count=20)
    s.page(s.asks_page(BOB, 11, 30), BOB, messages(BOB, 26, 30), 80, before=True, after=True)
    label = s.asks_page(BOB, 11, 25)
    s.result(None)
    s.page(label, BOB, messages(BOB, 11, 25), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(11, 81)))


@rule(MORE)
def more_until_a_seq_loads_everything_from_it(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, until=7)
    s.page(s.asks_page(BOB, 7, 30), BOB, messages(BOB, 7, 30), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(7, 81)))


@rule(MORE)
def more_until_a_seq_that_is_shown_asks_nothing(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, until=40)
    s.result(True)


@rule(MORE, ONLY_MORE)
def more_twice_goes_on_where_it_ended(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, count=10)
    s.page(s.asks_page(BOB, 21, 30), BOB, messages(BOB, 21, 30), 80, before=True, after=True)
    s.do("more", room=BOB, count=10)
    s.page(s.asks_page(BOB, 11, 20), BOB, messages(BOB, 11, 20), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(11, 81)))


@rule(MORE)
def more_waits_through_a_break(s: Story) -> None:
    fifty(s)
    s.do("more", room=BOB, count=20)
    s.asks_page(BOB, 11, 30)
    s.comes_back(private("bob", 80))
    s.synced(s.asks_sync({BOB: 80}), {BOB: missed(80)})
    label = s.asks_page(BOB, 11, 30)
    s.result(None)
    s.page(label, BOB, messages(BOB, 11, 30), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(11, 81)))


@rule(MORE)
def more_while_offline_waits_for_the_connection(s: Story) -> None:
    fifty(s)
    s.breaks()
    s.do("more", room=BOB, count=20)
    s.result(None)
    s.wait(1000)
    s.opens()
    s.ready(private("bob", 80))
    s.synced(s.asks_sync({BOB: 80}), {BOB: missed(80)})
    s.page(s.asks_page(BOB, 11, 30), BOB, messages(BOB, 11, 30), 80, before=True, after=True)
    s.result(True)


@rule(ONLY_MORE)
def entries_below_the_oldest_are_not_loaded_by_themselves(s: Story) -> None:
    fifty(s)
    s.comes_back(private("bob", 81))
    s.synced(s.asks_sync({BOB: 80}), {BOB: missed(81, messages(BOB, 81, 81))})
    s.wait(60_000)
    s.shows(BOB, *shown(*range(31, 82)))


@rule(GAPS)
def large_gap_after_a_break_is_paged_from_its_newest_end(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.comes_back(private("bob", 43))
    s.synced(s.asks_sync({BOB: 3}), {BOB: missed(43, status="gap")})
    s.page(s.asks_page(BOB, 4, 43), BOB, messages(BOB, 24, 43), 43, before=True)
    label = s.asks_page(BOB, 4, 23)
    s.shows(BOB, *shown(*range(24, 44)))
    s.page(label, BOB, messages(BOB, 4, 23), 43, before=True, after=True)
    s.shows(BOB, *shown(*range(1, 44)))


@rule(CONTIGUOUS, "docs/protocol.md, Apply pushes 2")
def change_in_a_gap_changes_the_message_below_it(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3)
    s.push("room", pushed(private("bob", 4)))
    label = s.asks_page(BOB, 4, 4)
    s.entry(message(BOB, 5, "bob", "message 5"))
    s.page(label, BOB, [reacted(BOB, 4, 2, "👍")], 5, before=True, after=True)
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": {"👍": {"count": 1, "users": ["bob"]}}}, {"seq": 3}, {"seq": 5})


@rule(MORE, COUNTS)
def more_during_a_gap_loads_entries_below_the_oldest(s: Story) -> None:
    fifty(s)
    s.comes_back(private("bob", 85))
    s.synced(s.asks_sync({BOB: 80}), {BOB: missed(85, status="gap")})
    label = s.asks_page(BOB, 81, 85)
    s.do("more", room=BOB, count=10)
    s.page(label, BOB, messages(BOB, 81, 85), 85, before=True)
    s.page(s.asks_page(BOB, 21, 30), BOB, messages(BOB, 21, 30), 85, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(21, 86)))


@rule(MORE, COUNTS)
def more_opens_a_room_and_loads_more_than_its_newest_page(s: Story) -> None:
    s.online(private("bob", 80))
    s.do("more", room=BOB, count=10)
    # the client may ask for the newest page first, or for all at once
    label = s.out("history", {"room": BOB, "lacks": ["$first", 80]})
    s.page(label, BOB, messages(BOB, 31, 80), 80, before=True)
    s.page(s.asks_page(BOB, 21, 30), BOB, messages(BOB, 21, 30), 80, before=True, after=True)
    s.result(True)
    s.shows(BOB, *shown(*range(21, 81)))
    s.entry(message(BOB, 81, "bob", "message 81"))
    s.shows(BOB, *shown(*range(21, 82)))


@rule(MORE, "docs/clients.md, Rooms 3: A room that the user does not have is not asked for")
def more_of_a_room_that_the_user_does_not_have_has_nothing_left(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("more", room=CAROL, count=10)
    s.result(False)
    s.shows(CAROL)
