"""What must be true of every entry that was pushed, once the logs are known."""

from ...domain.entries import Deleted
from ...domain.redaction import holds_text_of
from ...ids import RoomId, Seq
from .logs import Log, Logs
from .owners import Owner
from .world import Pushed, World


def judge_pushes(world: World, logs: Logs) -> None:
    """Nobody was pushed an entry before it was durable, nor of a room in which they were no member at that seq, but the
    one that ended it; and no node gave away a text of whose deletion it had told."""
    told: dict[tuple[Owner, RoomId], list[Seq]] = {}
    for pushed in world.pushed:
        entry = pushed.entry
        gone = told.setdefault((pushed.node, entry.room), [])
        if wrong := _wrong(world, logs[entry.room], pushed, gone):
            world.fault(f"{pushed.user} was pushed {entry}, {wrong}")
        if isinstance(entry.event, Deleted) and entry.event.target not in gone:
            gone.append(entry.event.target)
    for user, room, seq in sorted(world.shown):
        if not (seq <= logs[room].head and logs[room].states[seq].member(user)):
            world.fault(f"{user} was told of {room} at {seq}, where they did not become a member")


def _wrong(world: World, log: Log, pushed: Pushed, gone: list[Seq]) -> str | None:
    entry, seq = pushed.entry, pushed.entry.seq
    if seq > log.head or pushed.at < world.truth.landed_at[entry.room, seq]:
        return "before it was in the log"
    if not log.states[seq].member(pushed.user) and not log.states[seq - 1].member(pushed.user):
        return "a stranger to the room"
    erased = log.messages.written(seq, log.head)
    if entry == erased:
        return None
    if entry != log.entries[seq - 1]:
        return "which is not what stands there"
    if any(holds_text_of(entry, target) for target in gone):
        return "whose deletion this node had told"
    return None
