"""The command with which a client resumes: it reads the entries that the client missed."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

from attrs import evolve, field, frozen

from ..domain.entries import Entry
from ..domain.serialization import INTEGER_MAX
from ..domain.state import RoomView
from ..errors import Invalid
from ..ids import RoomId, Seq, UserId
from ..ports.room_views import RoomCatchUp
from . import fields
from .answer_sizes import ANSWER_BYTES_MAX, Budget, entry_size, markers_size, synced_size, synced_size_at_most
from .command import Conditions, Context, ReadingCommand, Refusals, Route, Routes

CURSORS_MAX = 500
EVENTS_MAX = 200
"""The most missed entries of one room in the answer of `Sync`."""


@frozen(kw_only=True)
class Cursor:
    """The seq up to which a client has all entries of a room. 0 is for no entries, and needs no epoch."""

    conditions: ClassVar[Conditions] = ({"anyOf": [{"required": ["epoch"]}, {"properties": {"seq": {"maximum": 0}}}]},)

    seq: Seq = field(validator=fields.integer(0))
    epoch: str | None = None


@fields.bounded(type="object", maxProperties=CURSORS_MAX)
def _check_cursors(_: object, __: object, cursors: Mapping[RoomId, Cursor]) -> None:
    if len(cursors) > CURSORS_MAX:
        raise Invalid(f"cursors must not name more than {CURSORS_MAX} rooms; send several.", field="cursors")
    if any(cursor.seq and cursor.epoch is None for cursor in cursors.values()):
        raise Invalid("cursors contains a seq above 0 without its epoch.", field="cursors")


Status: TypeAlias = Literal["events", "gap", "reset", "gone"]


@frozen(kw_only=True)
class RoomSync:
    """The status of one room. ``view`` is None for ``gone``; only ``events`` has ``entries``."""

    status: Status
    view: RoomView | None = None
    entries: Sequence[Entry] | None = None


@frozen(kw_only=True)
class SyncResult:
    """The answer of `Sync`: the status of each room that a cursor named, as ``user`` sees it."""

    user: UserId
    epoch: str
    rooms: Mapping[RoomId, RoomSync]


@frozen(kw_only=True)
class Sync(ReadingCommand[SyncResult]):
    """Read what a client missed in each of up to 500 rooms: the entries above its cursor, or a status to act on.

    On a socket, no entry of these rooms is pushed while the command runs. The first entry that is pushed after the
    answer follows the ``head`` of the answer.
    """

    name = "sync"
    routes: ClassVar[Routes] = (Route("POST", "/sync"),)
    refusals: ClassVar[Refusals] = {"invalid": "a seq above 0 without its epoch"}

    cursors: Mapping[RoomId, Cursor] = field(validator=_check_cursors)

    async def handle(self, context: Context) -> SyncResult:
        if context.socket is None:
            return await self._read(context)
        held = context.hub.begin_sync(context.socket, self.cursors)
        try:
            synced = await self._read(context)
        except BaseException:
            context.hub.resubscribe(context.socket, self.cursors, held)
            raise
        # No await from here to the answer: the subscriptions push after it.
        heads = {room: status.view.head for room, status in synced.rooms.items() if status.view}
        context.hub.end_sync(context.socket, self.cursors, held, heads)
        return synced

    async def _read(self, context: Context) -> SyncResult:
        epoch = context.store.epoch
        # A cursor of another epoch is no position in this store: read nothing, and answer `reset`.
        seqs = {
            room: cursor.seq if cursor.epoch in (None, epoch) else INTEGER_MAX for room, cursor in self.cursors.items()
        }
        missed = await context.store.catch_up(context.user, seqs, EVENTS_MAX, ANSWER_BYTES_MAX)
        rooms = {room: _sync_of(missed.get(room), after) for room, after in seqs.items()}
        at_most = sum(synced_size_at_most(room, sync.view, sync.entries or ()) for room, sync in rooms.items())
        if at_most > ANSWER_BYTES_MAX:
            budget = Budget(left=ANSWER_BYTES_MAX - sum(map(synced_size, seqs)))
            rooms = {room: _within(budget, sync) for room, sync in rooms.items()}
        return SyncResult(user=context.user, epoch=epoch, rooms=rooms)


def _within(budget: Budget, synced: RoomSync) -> RoomSync:
    """Return the room's status with the parts that fit into the budget: entries first, then members' markers."""
    view = synced.view
    if view is None:
        return synced
    if synced.entries and not budget.has(sum(map(entry_size, synced.entries))):
        synced = evolve(synced, status="gap", entries=None)
    if not budget.has(markers_size(view)):
        synced = evolve(synced, view=evolve(view, markers=None))
    return synced


def _sync_of(caught_up: RoomCatchUp | None, after: Seq) -> RoomSync:
    if caught_up is None:
        return RoomSync(status="gone")
    view, entries = caught_up.view, caught_up.entries
    if after > view.head:
        return RoomSync(status="reset", view=view)
    if entries is None and after < view.head:
        return RoomSync(status="gap", view=view)
    # At head there is no missing entry. A store that has reached the size of the answer returns None there too.
    return RoomSync(status="events", view=view, entries=entries or ())
