"""A store that is not chatcore's: a journal on the disk, from which memory is filled again at each opening.

It is small and slow, and shows what a store owes: what is acknowledged is on the disk first, calls at the same time do
not mix, and a fault is `Unavailable`. What it leaves out: the text of a deleted message stays in its file.
"""

import json
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import anyio
import attrs
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from chatcore.domain.entries import Entry
from chatcore.domain.page_tokens import from_milliseconds, milliseconds
from chatcore.domain.state import MarkerUpdate, RoomView
from chatcore.errors import StoreError, Unavailable
from chatcore.ids import RoomId, UserId
from chatcore.ports.entry_log import AppendResult
from chatcore.protocol import KINDS, event_object, opens_object, read_event, read_opens
from chatcore_memory import MemoryStore

Line: TypeAlias = dict[str, Any]
T = TypeVar("T")


class JournalStore(MemoryStore):
    """A line of JSON for everything that was asked for. What comes of it memory decides, and each time alike."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._path = file
        self._file: int | None = None
        self._size = 0
        self._entered = 0
        self._filled = False
        self._turn = anyio.Lock()

    async def __aenter__(self) -> Self:
        with anyio.CancelScope(shield=True):
            async with self._turn:
                if self._file is None:
                    await self._replay(await run_sync(self._open))
                self._entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered -= 1
        if not self._entered and self._file is not None:
            os.close(self._file)
            self._file = None

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        line = {"entries": [_entry_object(entry) for entry in entries]}
        return await self._noted(line, partial(super().append, entries))

    async def mark(self, user: UserId, room: RoomId, change: MarkerUpdate) -> RoomView | None:
        line = {"user": user, "room": room, "mark": attrs.asdict(change)}
        return await self._noted(line, partial(super().mark, user, room, change))

    async def probe(self) -> None:
        await self._noted({}, checkpoint)

    async def _noted(self, line: Line, decide: Callable[[], Awaitable[T]]) -> T:
        """What memory makes of a line that is on the disk. Nobody leaves in between: the two would differ."""
        made: list[T] = []
        async with self._turn:
            with anyio.CancelScope(shield=True):
                await self._note(line)
                made.append(await decide())
        return made[0]

    async def _note(self, line: Line) -> None:
        await run_sync(self._write, json.dumps(line).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        if self._file is None:
            raise Unavailable
        try:
            os.ftruncate(self._file, self._size)  # half a line of a write that failed
            os.pwrite(self._file, line, self._size)
            os.fsync(self._file)
        except OSError as error:
            raise Unavailable from error
        self._size += len(line)

    def _open(self) -> list[Line]:
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            whole, _, _ = self._path.read_bytes().rpartition(b"\n")  # behind it stands what was never acknowledged
            lines = [json.loads(line) for line in whole.splitlines()]
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._path} can't be read: {error}.") from error
        self._size = len(whole) + 1 if lines else 0
        return lines

    async def _replay(self, lines: Sequence[Line]) -> None:
        if not lines:
            await self._note({"epoch": self.epoch})
        for line in [] if self._filled else lines:
            match line:
                case {"epoch": epoch}:
                    self.epoch = epoch
                case {"entries": entries}:
                    await super().append([_read_entry(entry) for entry in entries])
                case {"mark": change, "user": user, "room": room}:
                    await super().mark(user, room, MarkerUpdate(**change))
                case _:
                    pass
        self._filled = True


def _entry_object(entry: Entry) -> Line:
    return {
        "room": entry.room,
        "seq": entry.seq,
        "author": entry.author,
        "at": milliseconds(entry.at),
        "key": entry.key,
        "digest": entry.digest,
        "kind": KINDS[type(entry.event)],
        "event": event_object(entry.event),
        "opens": entry.opens and opens_object(entry.opens),
    }


def _read_entry(written: Line) -> Entry:
    return Entry(
        room=written["room"],
        seq=written["seq"],
        author=written["author"],
        at=from_milliseconds(written["at"]),
        key=written["key"],
        digest=written["digest"],
        event=read_event(written["kind"], written["event"]),
        opens=written["opens"] and read_opens(written["opens"]),
    )
