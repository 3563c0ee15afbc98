"""Edits, deletions and reactions, in every order and as of every head."""

from ..story import BOB, Chapter, Object, Story, at, deleted, edited, message, missed, private, reacted, stub

CHAPTER = Chapter()
rule = CHAPTER.rule

APPLY = "docs/protocol.md, Apply pushes 2: `edited`, `deleted` and `reacted` change the message `target`"
AS_OF = (
    "docs/protocol.md, Apply pushes 2: Apply one only when its seq is above the `head` that is kept with the message"
)
STUB = "docs/protocol.md, Messages in their present state: A deleted message stays as a stub"
REACTIONS = "docs/protocol.md, Messages in their present state: `reactions` `{emoji: {count, users: [first 20]}}`"
PRESENT = "docs/clients.md, Messages 2: A message has the fields of its entry in its present state"
UNKNOWN = "docs/protocol.md, Apply pushes 1: clients ignore kinds and fields that they do not know"

THUMB = "👍"


def one(*users: str, count: int | None = None) -> Object:
    return {"count": len(users) if count is None else count, "users": list(users)}


def two_messages(s: Story) -> None:
    """Be online with a room of two messages of bob, both shown."""
    s.online(private("bob", 2))
    s.opened(BOB, 2)


def asks_room(s: Story, *deletions: Object) -> None:
    """The client asks for the Room after a deletion."""
    s.answer(s.out("room.get", {"room": BOB}), private("bob", deletions[-1]["seq"], last=deletions[-1]))


@rule(APPLY, PRESENT)
def edit_changes_body_version_and_time(s: Story) -> None:
    two_messages(s)
    s.entry(edited(BOB, 3, 1, "better"))
    s.shows(
        BOB, {"seq": 1, "body": "better", "version": 2, "edited_at": at(3), "at": at(1), "state": "sent"}, {"seq": 2}
    )


@rule(APPLY)
def second_edit_replaces_the_first(s: Story) -> None:
    two_messages(s)
    s.entry(edited(BOB, 3, 1, "better"), edited(BOB, 4, 1, "best", 3))
    s.shows(BOB, {"seq": 1, "body": "best", "version": 3, "edited_at": at(4)}, {"seq": 2, "version": 1})


@rule(APPLY, PRESENT)
def edit_leaves_the_other_fields(s: Story) -> None:
    s.online(private("bob", 2))
    second = message(BOB, 2, "bob", "two", reply_to=1, mentions=["alice"], data={"mood": "good"})
    s.opened(BOB, 2, [message(BOB, 1, "bob", "one"), second])
    s.entry(edited(BOB, 3, 2, "two!"))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "body": "two!", "reply_to": 1, "mentions": ["alice"], "data": {"mood": "good"}})


@rule(APPLY, REACTIONS)
def reaction_is_added(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB))
    s.shows(BOB, {"seq": 1, "reactions": None}, {"seq": 2, "reactions": {THUMB: one("bob")}})


@rule(APPLY, REACTIONS)
def reactions_of_two_users_are_counted(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB), reacted(BOB, 4, 2, THUMB, author="alice"))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": {THUMB: one("bob", "alice")}})


@rule(APPLY, REACTIONS)
def reaction_is_taken_back(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB), reacted(BOB, 4, 2, THUMB, on=False))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": None})


@rule(APPLY, REACTIONS)
def reaction_of_one_user_is_taken_back_and_the_other_stays(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB), reacted(BOB, 4, 2, THUMB, author="alice"), reacted(BOB, 5, 2, THUMB, on=False))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": {THUMB: one("alice")}})


@rule(APPLY, REACTIONS)
def two_emoji_are_kept_apart(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB), reacted(BOB, 4, 2, "🎂"))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": {THUMB: one("bob"), "🎂": one("bob")}})


@rule(REACTIONS)
def reaction_beyond_twenty_users_is_counted(s: Story) -> None:
    s.online(private("bob", 1))
    users = [f"user-{number}" for number in range(20)]
    s.opened(BOB, 1, [message(BOB, 1, "bob", "one", reactions={THUMB: one(*users, count=25)})])
    s.entry(reacted(BOB, 2, 1, THUMB))
    s.shows(BOB, {"seq": 1, "reactions": {THUMB: one(*users, count=26)}})


@rule(REACTIONS, "docs/protocol.md, Messages in their present state: users: [first 20]")
def reaction_of_an_unnamed_user_that_is_taken_back_is_counted(s: Story) -> None:
    s.online(private("bob", 1))
    users = [f"user-{number}" for number in range(20)]
    s.opened(BOB, 1, [message(BOB, 1, "bob", "one", reactions={THUMB: one(*users, count=25)})])
    s.entry(reacted(BOB, 2, 1, THUMB, on=False))
    s.shows(BOB, {"seq": 1, "reactions": {THUMB: one(*users, count=24)}})


@rule(APPLY, REACTIONS)
def edit_leaves_the_reactions(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 1, THUMB), edited(BOB, 4, 1, "better"))
    s.shows(BOB, {"seq": 1, "body": "better", "reactions": {THUMB: one("bob")}}, {"seq": 2})


@rule(STUB, APPLY)
def deletion_leaves_a_stub_in_its_place(s: Story) -> None:
    two_messages(s)
    s.entry(deleted(BOB, 3, 1))
    asks_room(s, deleted(BOB, 3, 1))
    s.shows(
        BOB, {"seq": 1, "deleted": True, "body": None, "author": "bob", "state": "sent"}, {"seq": 2, "deleted": None}
    )


@rule(STUB)
def deletion_takes_data_reactions_and_time_of_edit(s: Story) -> None:
    s.online(private("bob", 1))
    whole = message(
        BOB, 1, "bob", "one", data={"mood": "good"}, edited_at=at(2), reactions={THUMB: one("bob")}, version=2
    )
    s.opened(BOB, 1, [whole])
    s.entry(deleted(BOB, 2, 1))
    asks_room(s, deleted(BOB, 2, 1))
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None, "data": None, "reactions": None, "edited_at": None})


@rule(STUB, APPLY)
def edit_before_a_deletion_leaves_no_body(s: Story) -> None:
    two_messages(s)
    s.entry(edited(BOB, 3, 1, "better"), deleted(BOB, 4, 1))
    asks_room(s, deleted(BOB, 4, 1))
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None, "version": 2}, {"seq": 2})


@rule(STUB, REACTIONS)
def reaction_before_a_deletion_is_gone(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 1, THUMB), deleted(BOB, 4, 1))
    asks_room(s, deleted(BOB, 4, 1))
    s.shows(BOB, {"seq": 1, "deleted": True, "reactions": None}, {"seq": 2})


@rule(STUB)
def stub_of_a_page_is_shown(s: Story) -> None:
    s.online(private("bob", 3))
    s.opened(BOB, 3, [stub(BOB, 1, "bob"), message(BOB, 2, "bob", "message 2"), deleted(BOB, 3, 1)])
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None}, {"seq": 2})


@rule(AS_OF)
def edit_that_a_page_shows_already_is_not_applied_again(s: Story) -> None:
    s.online(private("bob", 1))
    s.entry(edited(BOB, 2, 1, "better"), edited(BOB, 3, 1, "best", 3))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    best = message(BOB, 1, "bob", "best", version=3, edited_at=at(3))
    s.page(label, BOB, [best], 3, before=False, after=True)
    s.shows(BOB, {"seq": 1, "body": "best", "version": 3, "edited_at": at(3)})


@rule(AS_OF)
def edit_above_the_head_of_a_page_is_applied(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    s.entry(edited(BOB, 2, 1, "better"))
    s.page(label, BOB, [message(BOB, 1, "bob", "one")], 1, before=False)
    s.shows(BOB, {"seq": 1, "body": "better", "version": 2})


@rule(AS_OF)
def only_edits_above_the_head_of_a_page_are_applied(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    s.entry(edited(BOB, 2, 1, "better"), edited(BOB, 3, 1, "best", 3))
    s.page(label, BOB, [message(BOB, 1, "bob", "better", version=2, edited_at=at(2))], 2, before=False, after=True)
    s.shows(BOB, {"seq": 1, "body": "best", "version": 3})


@rule(AS_OF, REACTIONS)
def reaction_that_a_page_counts_already_is_not_counted_again(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    s.entry(reacted(BOB, 2, 1, THUMB))
    s.page(label, BOB, [message(BOB, 1, "bob", "one", reactions={THUMB: one("bob")})], 2, before=False, after=True)
    s.shows(BOB, {"seq": 1, "reactions": {THUMB: one("bob")}})


@rule(AS_OF, REACTIONS)
def reaction_above_the_head_of_a_page_is_counted(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    s.entry(reacted(BOB, 2, 1, THUMB), reacted(BOB, 3, 1, THUMB, author="alice"))
    s.page(label, BOB, [message(BOB, 1, "bob", "one", reactions={THUMB: one("bob")})], 2, before=False, after=True)
    s.shows(BOB, {"seq": 1, "reactions": {THUMB: one("bob", "alice")}})


@rule(AS_OF, STUB)
def deletion_above_the_head_of_a_page_is_applied(s: Story) -> None:
    s.online(private("bob", 1))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 1)
    s.entry(deleted(BOB, 2, 1))
    s.page(label, BOB, [message(BOB, 1, "bob", "one")], 1, before=False)
    asks_room(s, deleted(BOB, 2, 1))
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None})


@rule(AS_OF, STUB)
def page_without_the_deletion_does_not_bring_the_message_back(s: Story) -> None:
    s.online(private("bob", 2))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 1, 2)
    s.entry(deleted(BOB, 3, 1))
    s.page(label, BOB, [message(BOB, 1, "bob", "one"), message(BOB, 2, "bob", "two")], 2, before=False)
    asks_room(s, deleted(BOB, 3, 1))
    s.shows(BOB, {"seq": 1, "deleted": True, "body": None}, {"seq": 2, "body": "two"})


@rule(APPLY, STUB)
def edit_and_deletion_in_one_page_leave_a_stub(s: Story) -> None:
    s.online(private("bob", 4))
    edit = {name: value for name, value in edited(BOB, 2, 1, "").items() if name != "body"}
    s.opened(BOB, 4, [stub(BOB, 1, "bob", 2), edit, deleted(BOB, 3, 1), message(BOB, 4, "bob", "four")])
    s.shows(BOB, {"seq": 1, "deleted": True, "version": 2, "body": None}, {"seq": 4})


@rule(APPLY)
def change_of_a_message_that_is_not_loaded_waits_for_it(s: Story) -> None:
    s.online(private("bob", 60))
    s.do("open", room=BOB)
    newest = [message(BOB, seq, "bob", f"message {seq}") for seq in range(11, 61)]
    s.page(s.asks_page(BOB, 11, 60), BOB, newest, 60, before=True)
    s.entry(edited(BOB, 61, 5, "better"))
    s.do("more", room=BOB, count=20)
    older = [message(BOB, seq, "bob", f"message {seq}") for seq in range(1, 11)]
    label = s.asks_page(BOB, 1, 10)
    older[4] = message(BOB, 5, "bob", "better", version=2, edited_at=at(61))
    s.page(label, BOB, older, 61, before=False, after=True)
    s.shows(BOB, *({"seq": seq, "body": "better" if seq == 5 else f"message {seq}"} for seq in range(1, 61)))


@rule(APPLY, STUB)
def deletion_of_a_message_that_is_not_loaded_is_asked_as_any(s: Story) -> None:
    s.online(private("bob", 60))
    s.do("open", room=BOB)
    newest = [message(BOB, seq, "bob", f"message {seq}") for seq in range(11, 61)]
    s.page(s.asks_page(BOB, 11, 60), BOB, newest, 60, before=True)
    s.entry(deleted(BOB, 61, 5))
    asks_room(s, deleted(BOB, 61, 5))
    s.shows(BOB, *({"seq": seq} for seq in range(11, 61)))


@rule(AS_OF)
def messages_of_sync_are_as_of_its_head(s: Story) -> None:
    two_messages(s)
    s.comes_back(private("bob", 4))
    three = message(BOB, 3, "bob", "three", reactions={THUMB: one("alice")})
    s.synced(s.asks_sync({BOB: 2}), {BOB: missed(4, [three, reacted(BOB, 4, 3, THUMB, author="alice")])})
    s.shows(BOB, {"seq": 1}, {"seq": 2}, {"seq": 3, "reactions": {THUMB: one("alice")}})
    s.entry(reacted(BOB, 5, 3, THUMB))
    s.shows(BOB, {"seq": 1}, {"seq": 2}, {"seq": 3, "reactions": {THUMB: one("alice", "bob")}})


@rule(AS_OF)
def pushed_message_is_as_of_its_own_seq(s: Story) -> None:
    two_messages(s)
    s.entry(message(BOB, 3, "bob", "three"), edited(BOB, 4, 3, "three!"), reacted(BOB, 5, 3, THUMB))
    s.shows(BOB, {"seq": 1}, {"seq": 2}, {"seq": 3, "body": "three!", "version": 2, "reactions": {THUMB: one("bob")}})


@rule(APPLY, "docs/protocol.md, Apply pushes 1: drop it when the client already has it by `(room, seq)`")
def reaction_that_comes_twice_counts_once(s: Story) -> None:
    two_messages(s)
    s.entry(reacted(BOB, 3, 2, THUMB), reacted(BOB, 3, 2, THUMB))
    s.shows(BOB, {"seq": 1}, {"seq": 2, "reactions": {THUMB: one("bob")}})


@rule(UNKNOWN)
def unknown_fields_of_a_message_are_kept(s: Story) -> None:
    two_messages(s)
    s.entry(message(BOB, 3, "bob", "three", sparkle=True))
    s.shows(BOB, {"seq": 1}, {"seq": 2}, {"seq": 3, "body": "three", "sparkle": True})


@rule(PRESENT)
def message_has_the_fields_of_its_entry(s: Story) -> None:
    two_messages(s)
    s.entry(message(BOB, 3, "bob", "three", reply_to=1, mentions=["alice"], data={"mood": "good"}, key="a key of bob"))
    whole = {
        "room": BOB,
        "seq": 3,
        "kind": "message",
        "author": "bob",
        "at": at(3),
        "key": "a key of bob",
        "body": "three",
    }
    more = {
        "version": 1,
        "reply_to": 1,
        "mentions": ["alice"],
        "data": {"mood": "good"},
        "state": "sent",
        "error": None,
    }
    s.shows(BOB, {"seq": 1}, {"seq": 2}, whole | more)


@rule(PRESENT)
def body_is_shown_exactly_as_it_is(s: Story) -> None:
    two_messages(s)
    body = "  <b>&amp;</b>\u202e\u0000 e\u0301 \U0001f469\u200d\U0001f467\n"
    s.entry(message(BOB, 3, "bob", body))
    s.shows(BOB, {"seq": 1}, {"seq": 2}, {"seq": 3, "body": body})


@rule(APPLY, "docs/clients.md, Messages 1")
def changes_alone_show_no_messages(s: Story) -> None:
    s.online(private("bob", 55))
    s.do("open", room=BOB)
    label = s.asks_page(BOB, 6, 55)
    s.page(label, BOB, [reacted(BOB, seq, 1, THUMB, on=seq % 2 == 0) for seq in range(6, 56)], 55, before=True)
    s.shows(BOB)
    s.do("more", room=BOB, count=5)
    older = [message(BOB, seq, "bob", f"message {seq}") for seq in range(1, 6)]
    s.page(s.asks_page(BOB, 1, 5), BOB, older, 55, before=False, after=True)
    s.shows(BOB, *({"seq": seq} for seq in range(1, 6)))
