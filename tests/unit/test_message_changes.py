"""Editing, deleting and reacting: what each needs of its target, and what a deletion leaves."""

from datetime import UTC, datetime

import attrs
import pytest

from chatcore import ChatError, Conflict, DeleteMessage, EditMessage, Entry, Forbidden, Invalid, NotFound, React, Rules
from chatcore.commands.command import RoomCommand
from chatcore.domain.decider import Facts, decide
from chatcore.domain.entries import Deleted, Edited, Event, Message, Opened, Reacted, Reaction
from chatcore.domain.redaction import holds_text_of, redacted
from chatcore.domain.state import Membership, RoomState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROOM = "room-" + "a" * 26
PEOPLE = {
    "olga": Membership("owner", since=1),
    "anna": Membership("admin", since=1),
    "mia": Membership("member", since=1),
    "max": Membership("member", since=1),
}
SAID = Message(body="a secret", data={"of": "mine"}, version=3)


def target(event: Event = SAID, author: str = "mia") -> Entry:
    return Entry(room=ROOM, seq=5, author=author, at=NOW, key="k", digest="d", event=event)


def outcome(user: str, command: RoomCommand[object], found: Entry | None) -> Event | ChatError | None:
    state = RoomState(room=ROOM, head=9, kind="group", title="Tea", members=PEOPLE)
    result = decide(state, Facts(target=found, as_of=9), user, command, "k", NOW, Rules())
    return result.event if isinstance(result, Entry) else result


def edit(version: int = 3, body: str = "better") -> EditMessage:
    return EditMessage(room=ROOM, seq=5, version=version, body=body)


def react(emoji: str = "👍", on: bool = True) -> React:
    return React(room=ROOM, seq=5, emoji=emoji, on=on)


DELETE = DeleteMessage(room=ROOM, seq=5)
GONE = target(attrs.evolve(SAID, body="", data=None, deleted=True))


def test_its_author_edits_a_message_whose_present_version_they_saw() -> None:
    assert outcome("mia", edit(), target()) == Edited(target=5, body="better", version=4)
    assert isinstance(outcome("mia", edit(version=2), target()), Conflict)
    assert isinstance(outcome("mia", edit(version=4), target()), Conflict)
    for other in ("olga", "anna", "max"):
        assert isinstance(outcome(other, edit(), target()), Forbidden)
    assert isinstance(outcome("eve", edit(), target()), NotFound)


def test_a_body_may_become_empty_only_beside_data() -> None:
    assert outcome("mia", edit(body=""), target()) == Edited(target=5, body="", version=4)
    refused = outcome("mia", edit(body=""), target(attrs.evolve(SAID, data=None)))
    assert isinstance(refused, Invalid)
    assert refused.field == "body"


@pytest.mark.parametrize("command", [edit(), DELETE, react()])
@pytest.mark.parametrize(
    "found", [None, target(Opened()), target(Deleted(target=4)), target(Edited(target=4, version=2))]
)
def test_only_messages_can_be_changed(command: RoomCommand[object], found: Entry | None) -> None:
    assert isinstance(outcome("mia", command, found), NotFound)


def test_author_and_leaders_delete_a_message_once() -> None:
    for user in ("mia", "olga", "anna"):
        assert outcome(user, DELETE, target()) == Deleted(target=5)
        assert outcome(user, DELETE, GONE) is None
    assert isinstance(outcome("max", DELETE, target()), Forbidden)


def test_in_a_private_room_only_the_author_deletes() -> None:
    people = {"mia": Membership("member", since=1), "max": Membership("member", since=1)}
    state = RoomState(room=ROOM, head=9, kind="private", members=people)
    facts = Facts(target=target(), as_of=9)
    assert isinstance(decide(state, facts, "mia", DELETE, "k", NOW, Rules()), Entry)
    assert isinstance(decide(state, facts, "max", DELETE, "k", NOW, Rules()), Forbidden)


def test_a_deleted_message_is_neither_edited_nor_reacted_to() -> None:
    assert isinstance(outcome("mia", edit(), GONE), NotFound)
    assert isinstance(outcome("max", react(), GONE), NotFound)


def test_a_reaction_is_given_once_and_taken_back_once() -> None:
    mine = target(attrs.evolve(SAID, reactions={"👍": Reaction(count=2, users=["max", "anna"], mine=True)}))
    others = target(attrs.evolve(SAID, reactions={"👍": Reaction(count=1, users=["anna"])}))
    assert outcome("max", react(), others) == Reacted(target=5, emoji="👍", on=True)
    assert outcome("max", react(), mine) is None
    assert outcome("max", react(on=False), mine) == Reacted(target=5, emoji="👍", on=False)
    assert outcome("max", react(on=False), others) is None


def test_a_message_has_at_most_20_different_reactions() -> None:
    full = target(attrs.evolve(SAID, reactions={str(n): Reaction(count=1, users=["anna"]) for n in range(20)}))
    assert isinstance(outcome("max", react("new"), full), Conflict)
    assert outcome("max", react("7"), full) == Reacted(target=5, emoji="7", on=True)


def test_redaction_leaves_no_trace_of_the_text() -> None:
    edited = attrs.evolve(target(Edited(target=5, body="a secret", version=2)), seq=6)
    for entry in (target(), edited):
        gone = redacted(entry)
        assert "secret" not in repr(gone)
        assert "mine" not in repr(gone)
        assert gone.digest is None
        assert (gone.seq, gone.author, gone.key) == (entry.seq, entry.author, entry.key)
        assert redacted(gone) == gone


def test_what_is_redacted_is_the_message_and_its_edits() -> None:
    edited = attrs.evolve(target(Edited(target=5, body="b", version=2)), seq=6)
    assert holds_text_of(target(), 5)
    assert holds_text_of(edited, 5)
    assert not holds_text_of(edited, 4)
    assert not holds_text_of(attrs.evolve(target(), seq=6), 5)
