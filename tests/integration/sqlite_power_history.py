"""The calls of a store and their acknowledgements, and the entries to write, for `test_sqlite_power_loss`."""

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
    """A write.

    Attributes:
        begun: the position of the disk at the time of the call.
        acknowledged: the position at the time of the acknowledgement.
    """

    begun: int
    acknowledged: int = sys.maxsize


@define
class Opening(Call):
    """The opening of a store, which then has an epoch."""

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
    """The erasure of texts, which no file may hold afterwards."""

    texts: frozenset[str] = frozenset()


@define
class History:
    """The calls of a session, and the state before it.

    Attributes:
        logs: the logs of the rooms after the last loss of power, with the deleted texts.
        calls: the calls of this session, and earlier calls with a lasting effect.
    """

    logs: Mapping[RoomId, Sequence[Entry]] = Factory(dict[RoomId, Sequence[Entry]])
    calls: list[Call] = Factory(list[Call])

    def log(self, room: RoomId, appends: int | None = None) -> Sequence[Entry]:
        """Return the log of the room with the first appends of the session, by default with all."""
        calls = self._appends(room)[:appends]
        return [*self.logs.get(room, ()), *(entry for call in calls for entry in call.entries)]

    def allowed_logs(self, room: RoomId, position: int) -> Sequence[Sequence[Entry]]:
        """Return the logs that a loss of power at ``position`` may leave.

        They have every acknowledged append, and a prefix of the other appends, each as a whole.
        """
        calls = self._appends(room)
        acknowledged = sum(call.acknowledged <= position for call in calls)
        begun = sum(call.begun <= position for call in calls)
        return [self.log(room, number) for number in range(acknowledged, begun + 1)]

    def _appends(self, room: RoomId) -> Sequence[Append]:
        return [call for call in self.calls if isinstance(call, Append) and call.room == room]


def deleted_texts(log: Sequence[Entry]) -> frozenset[str]:
    """Return the bodies and digests that a log does not hold any more."""
    erased = [before for before, after in zip(log, as_written(log), strict=True) if before != after]
    return frozenset(text for entry in erased for text in (_own_text(entry), entry.digest or ""))


def batch(room: RoomId, log: Sequence[Entry], random: Random, stamp: str) -> Sequence[Entry]:
    """Return a few entries that may follow ``log``, with unique texts."""
    entries: list[Entry] = []
    for _ in range(random.randint(1, 4)):
        so_far = [*log, *entries]
        seq = len(so_far) + 1
        name = f"{room} {seq} {stamp}"
        gone = {entry.event.target for entry in so_far if isinstance(entry.event, Deleted)}
        there = [entry.seq for entry in so_far if isinstance(entry.event, Message) and entry.seq not in gone]
        body = f"<text of {name}>" * random.choice((1, 1, 4, 50, 600))
        target = random.choice(there) if there else 0
        match random.choice(("message", "message", "edited", "deleted", "joined")):
            case "edited" if there:
                version = 2 + sum(isinstance(entry.event, Edited) and entry.event.target == target for entry in so_far)
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
    """Return the part of the body that no other entry has."""
    assert isinstance(entry.event, Message | Edited)
    return (entry.event.body or "").partition(">")[0] + ">"
