"""What callers of a store were told, and the entries that they write: for `test_sqlite_power_loss`."""

import sys
from collections.abc import Mapping, Sequence
from random import Random

from attrs import Factory, define

from chatcore.domain.entries import Deleted, Edited, Entry, Message
from chatcore.ids import RoomId, Seq, UserId
from chatcore.testing.builders import entry, joined, message
from chatcore.testing.model import as_written


@define
class Call:
    """One write.

    Attributes:
        begun: the position of the disk at which it was called.
        acknowledged: the position at which its caller was told that it succeeded.
    """

    begun: int
    acknowledged: int = sys.maxsize


@define
class Opening(Call):
    """Of a store, which then has an epoch."""

    epoch: str = ""


@define
class Append(Call):
    room: RoomId = ""
    entries: Sequence[Entry] = ()


@define
class Mark(Call):
    room: RoomId = ""
    read: Seq = 0


@define
class Account(Call):
    user: UserId = ""


@define
class Erasure(Call):
    """Of texts that no file holds any more."""

    texts: frozenset[str] = frozenset()


@define
class History:
    """The calls of a session, and what there was before.

    Attributes:
        logs: the rooms' logs after the last loss of power, with the texts that were deleted.
        calls: those of this session, and those before it whose effect has to last.
    """

    logs: Mapping[RoomId, Sequence[Entry]] = Factory(dict[RoomId, Sequence[Entry]])
    calls: list[Call] = Factory(list[Call])

    def log(self, room: RoomId, appends: int | None = None) -> Sequence[Entry]:
        """The room's log with so many of the session's appends; with all of them by default."""
        calls = self._appends(room)[:appends]
        return [*self.logs.get(room, ()), *(entry for call in calls for entry in call.entries)]

    def allowed_logs(self, room: RoomId, position: int) -> Sequence[Sequence[Entry]]:
        """The logs that a loss of power at ``position`` may leave.

        They have every append that was acknowledged, and of those that were not the first ones, each as a whole.
        """
        calls = self._appends(room)
        acknowledged = sum(call.acknowledged <= position for call in calls)
        begun = sum(call.begun <= position for call in calls)
        return [self.log(room, number) for number in range(acknowledged, begun + 1)]

    def _appends(self, room: RoomId) -> Sequence[Append]:
        return [call for call in self.calls if isinstance(call, Append) and call.room == room]


def deleted_texts(log: Sequence[Entry]) -> frozenset[str]:
    """Bodies and digests that a log does not hold any more."""
    erased = [before for before, after in zip(log, as_written(log), strict=True) if before != after]
    return frozenset(text for one in erased for text in (_own_text(one), one.digest or ""))


def batch(room: RoomId, log: Sequence[Entry], random: Random, stamp: str) -> Sequence[Entry]:
    """A few entries that fit behind ``log``, with texts that occur nowhere else."""
    entries: list[Entry] = []
    for _ in range(random.randint(1, 4)):
        so_far = [*log, *entries]
        seq = len(so_far) + 1
        name = f"{room} {seq} {stamp}"
        gone = {one.event.target for one in so_far if isinstance(one.event, Deleted)}
        there = [one.seq for one in so_far if isinstance(one.event, Message) and one.seq not in gone]
        body = f"<text of {name}>" * random.choice((1, 1, 4, 50, 600))
        target = random.choice(there) if there else 0
        match random.choice(("message", "message", "edited", "deleted", "joined")):
            case "edited" if there:
                version = 2 + sum(isinstance(one.event, Edited) and one.event.target == target for one in so_far)
                edit = Edited(target=target, version=version, body=body)
                entries.append(entry(edit, room, seq, key=name, digest=f"<digest of {name}>"))
            case "deleted" if there:
                entries.append(entry(Deleted(target=target), room, seq, key=name))
            case "joined" if so_far:
                entries.append(joined(room, seq, f"user {name}", key=name))
            case _:
                entries.append(message(room, seq, key=name, digest=f"<digest of {name}>", body=body))
    return entries


def _own_text(entry: Entry) -> str:
    """The part of its body that no other entry has."""
    assert isinstance(entry.event, Message | Edited)
    return (entry.event.body or "").partition(">")[0] + ">"
