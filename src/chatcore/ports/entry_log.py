"""The port of a store for the logs of rooms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import anyio
from attrs import frozen

from ..domain.entries import Entry
from ..ids import Key, RoomId, Seq, UserId

FeedPosition: TypeAlias = int
"""The position of an entry in the change feed of a store. Opaque; it does not order the entries of a room."""


@frozen(kw_only=True)
class AppendResult:
    """The result of an append.

    Attributes:
        written: how many of the entries are durable, counted from the first.
        taken: the entry that already has the author and key of the first entry that was not written. If it is None
            and entries were not written, another writer has written that seq. If both the seq and the key are taken,
            a store may report either.
    """

    written: int
    taken: Entry | None = None


@frozen(kw_only=True)
class LogSlice:
    """The entries above a seq and the entries of some keys, as of one snapshot.

    Attributes:
        head: the room's head.
        by_key: the entry of each requested author and key that the room has.
    """

    head: Seq
    entries: Sequence[Entry]
    by_key: Mapping[tuple[UserId, Key], Entry]


@frozen(kw_only=True)
class Change:
    """``room`` has reached ``seq``. The entry at ``seq`` gave the users in ``affects`` another membership."""

    position: FeedPosition
    room: RoomId
    seq: Seq
    affects: tuple[UserId, ...] = ()


@frozen(kw_only=True)
class Changes:
    """Changes by ascending position, and whether the store has ``more`` after the last one."""

    changes: Sequence[Change]
    more: bool


class EntryLog(ABC):
    """Append-only logs of entries numbered 1, 2, 3 … without a hole.

    Every method is one atomic operation. Reads see only durable entries. Every method raises `Unavailable` if the store
    cannot be reached or does not answer within 2 seconds.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class that defines `append` alone have the `append_all` that calls it, not an inherited one."""
        super().__init_subclass__(**arguments)
        if "append" in vars(cls) and "append_all" not in vars(cls):
            cls.append_all = EntryLog.append_all  # type: ignore[method-assign]

    @abstractmethod
    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        """Write entries of one room if its head is just below the first. Their seqs follow each other.

        A call writes all entries or a prefix of them, and they are durable before it returns. ``(room, seq)`` and
        ``(room, author, key)`` are unique for ever. Calls for different rooms may share a commit; an error in the
        entries of one room does not affect the other rooms. After `Unavailable`, and after a cancellation, the outcome
        is unknown: the entries may be written, or be written later.
        """

    async def append_all(self, batches: Sequence[Sequence[Entry]]) -> Sequence[AppendResult | Exception]:
        """Append each batch, the entries of one room, as `append` does. The batches are of different rooms.

        Returns for each batch its result, or the exception that `append` would have raised. This default calls `append`
        for all batches concurrently. A store overrides it if it writes them cheaper together.
        """
        if len(batches) == 1:
            return [await self._outcome(batches[0])]
        outcomes: dict[int, AppendResult | Exception] = {}

        async def append(index: int, batch: Sequence[Entry]) -> None:
            outcomes[index] = await self._outcome(batch)

        async with anyio.create_task_group() as tasks:
            for index, batch in enumerate(batches):
                tasks.start_soon(append, index, batch)
        return [outcomes[index] for index in range(len(batches))]

    async def _outcome(self, batch: Sequence[Entry]) -> AppendResult | Exception:
        try:
            return await self.append(batch)
        except Exception as error:  # noqa: BLE001  # returned to the caller
            return error

    @abstractmethod
    async def read_on(self, room: RoomId, after: Seq, limit: int, keys: Sequence[tuple[UserId, Key]] = ()) -> LogSlice:
        """Return up to ``limit`` entries above ``after``, as written and ascending, and the entries of ``keys``.

        The entry of a key may be at any seq of the room.
        """

    @abstractmethod
    async def changes(self, after: FeedPosition | None, limit: int) -> Changes:
        """Return up to ``limit`` changes after the position ``after``.

        The next call continues from the position of the last change. With None the result is only the newest change, as
        a start. If there is no change the store is empty, and a caller starts from 0, which is below all positions.

        No change is missing, but a change may come more than once. Of a room's changes without ``affects`` only the
        newest has to come, so fewer than ``limit`` changes may be followed by more. After an empty result there are no
        more. If positions do not become visible in order, the store reads the entries of the last 10 seconds again.
        Changes contain no bodies.
        """
