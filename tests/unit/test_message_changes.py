"""Edits, deletions and reactions: what they need of their target, and redaction."""

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
MEMBERS = {
    "olga": Membership("owner", since=1),
    "anna": Membership("admin", since=1),
    "mia": Membership("member", since=1),
    "max": Membership("member", since=1),
}
MESSAGE = Message(body="a secret", data={"of": "mine"}, version=3)


def target(event: Event = MESSAGE, author: str = "mia") -> Entry:
    return Entry(room=ROOM, seq=5, author=author, at=NOW, key="k", digest="d", event=event)


def outcome(user: str, command: RoomCommand[object], message: Entry | None) -> Event | ChatError | None:
    state = RoomState(room=ROOM, head=9, kind="group", title="Tea", members=MEMBERS)
    result = decide(state, Facts(target=message, as_of=9), user, command, "k", NOW, Rules())
    return result.event if isinstance(result, Entry) else result


def edit(version: int = 3, body: str = "better") -> EditMessage:
    return EditMessage(room=ROOM, seq=5, version=version, body=body)


def react(emoji: str = "👍", on: bool = True) -> React:
    return React(room=ROOM, seq=5, emoji=emoji, on=on)


DELETE = DeleteMessage(room=ROOM, seq=5)
DELETED = target(attrs.evolve(MESSAGE, body="", data=None, deleted=True))


def test_author_edits_the_present_version_of_a_message() -> None:
    assert outcome("mia", edit(), target()) == Edited(target=5, body="better", version=4)
    assert isinstance(outcome("mia", edit(version=2), target()), Conflict)
    assert isinstance(outcome("mia", edit(version=4), target()), Conflict)
    for other in ("olga", "anna", "max"):
        assert isinstance(outcome(other, edit(), target()), Forbidden)
    assert isinstance(outcome("eve", edit(), target()), NotFound)


def test_body_can_become_empty_only_beside_data() -> None:
    assert outcome("mia", edit(body=""), target()) == Edited(target=5, body="", version=4)
    refused = outcome("mia", edit(body=""), target(attrs.evolve(MESSAGE, data=None)))
    assert isinstance(refused, Invalid)
    assert refused.field == "body"


@pytest.mark.parametrize("command", [edit(), DELETE, react()])
@pytest.mark.parametrize(
    "no_message", [None, target(Opened()), target(Deleted(target=4)), target(Edited(target=4, version=2))]
)
def test_target_that_is_not_a_message_is_not_found(command: RoomCommand[object], no_message: Entry | None) -> None:
    assert isinstance(outcome("mia", command, no_message), NotFound)


def test_author_owners_and_admins_delete_a_message_once() -> None:
    for user in ("mia", "olga", "anna"):
        assert outcome(user, DELETE, target()) == Deleted(target=5)
        assert outcome(user, DELETE, DELETED) is None
    assert isinstance(outcome("max", DELETE, target()), Forbidden)


def test_only_the_author_deletes_in_a_private_room() -> None:
    members = {"mia": Membership("member", since=1), "max": Membership("member", since=1)}
    state = RoomState(room=ROOM, head=9, kind="private", members=members)
    facts = Facts(target=target(), as_of=9)
    assert isinstance(decide(state, facts, "mia", DELETE, "k", NOW, Rules()), Entry)
    assert isinstance(decide(state, facts, "max", DELETE, "k", NOW, Rules()), Forbidden)


def test_deleted_message_cannot_be_edited_or_reacted_to() -> None:
    assert isinstance(outcome("mia", edit(), DELETED), NotFound)
    assert isinstance(outcome("max", react(), DELETED), NotFound)


def test_reaction_is_added_once_and_withdrawn_once() -> None:
    mine = target(attrs.evolve(MESSAGE, reactions={"👍": Reaction(count=2, users=["max", "anna"], mine=True)}))
    others = target(attrs.evolve(MESSAGE, reactions={"👍": Reaction(count=1, users=["anna"])}))
    assert outcome("max", react(), others) == Reacted(target=5, emoji="👍", on=True)
    assert outcome("max", react(), mine) is None
    assert outcome("max", react(on=False), mine) == Reacted(target=5, emoji="👍", on=False)
    assert outcome("max", react(on=False), others) is None


def test_message_has_at_most_20_different_reactions() -> None:
    full = target(attrs.evolve(MESSAGE, reactions={str(n): Reaction(count=1, users=["anna"]) for n in range(20)}))
    assert isinstance(outcome("max", react("new"), full), Conflict)
    assert outcome("max", react("7"), full) == Reacted(target=5, emoji="7", on=True)


def test_redacted_entry_has_no_text() -> None:
    edited = attrs.evolve(target(Edited(target=5, body="a secret", version=2)), seq=6)
    for entry in (target(), edited):
        result = redacted(entry)
        assert "secret" not in repr(result)
        assert "mine" not in repr(result)
        assert result.digest is None
        assert (result.seq, result.author, result.key) == (entry.seq, entry.author, entry.key)
        assert redacted(result) == result


def test_text_of_a_message_is_in_the_message_and_its_edits() -> None:
    edited = attrs.evolve(target(Edited(target=5, body="b", version=2)), seq=6)
    assert holds_text_of(target(), 5)
    assert holds_text_of(edited, 5)
    assert not holds_text_of(edited, 4)
    assert not holds_text_of(attrs.evolve(target(), seq=6), 5)
