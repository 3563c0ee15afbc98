"""The feed of a Chat: the entries of all rooms, for programs that follow them, such as a search index."""

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

import anyio
from attrs import frozen

from .domain.entries import Entry
from .errors import FeedReset, Invalid, Unavailable
from .fault_log import reason
from .live.event_loop import LoopGuard
from .ports.entry_feed import EntryFeed, EntryPosition, FeedReader, FeedStart
from .ports.store import Store

BATCH_MAX = 256
"""About the most entries of a batch. The largest entry has 98 KiB."""
POLL_S = 2
"""Seconds between two reads at the end of the feed, if this node hears of no entry."""
READ_PAUSE_S = 0.1
"""The least seconds between two reads at the end of the feed: entries of busy rooms come together."""
RETRY_S = 0.5
"""Seconds until the first retry after the store was unavailable. Each further one takes twice as long."""
RETRY_MAX_S = 8

_POSITION = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})")

log: Final = logging.getLogger(__name__)


@frozen(kw_only=True)
class FeedBatch:
    """Entries of one or more rooms, and where the feed goes on after them.

    Attributes:
        entries: at least one. Those of a room come by ascending seq.
        position: 33 ASCII characters. `Chat.feed` of any process on the same store goes on from it.
    """

    entries: Sequence[Entry]
    position: str


class FeedSignal:
    """Tells the feeds of a Chat that entries were written, or that the Chat is being left."""

    def __init__(self) -> None:
        self._news = anyio.Event()
        self._left = anyio.Event()

    def note_entries(self) -> None:
        """Wake the feeds that wait for entries."""
        self._news.set()

    def leave(self) -> None:
        """End all feeds."""
        self._left.set()
        self._news.set()

    @property
    def left(self) -> bool:
        """Whether the Chat is being left."""
        return self._left.is_set()

    def next_news(self) -> anyio.Event:
        """Return an event that is set as soon as entries are noted, from now on, or the Chat is being left."""
        if self._news.is_set():
            self._news = anyio.Event()
        return self._news

    async def wait_left(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the Chat is being left."""
        with anyio.move_on_after(seconds):
            await self._left.wait()


class Feed(AsyncIterator[FeedBatch]):
    """Implements `Chat.feed`. It holds nothing open between two batches, so a consumer may just stop."""

    def __init__(self, reader: FeedReader, epoch: str, signal: FeedSignal, loop: LoopGuard) -> None:
        self._reader = reader
        self._epoch = epoch
        self._signal = signal
        self._loop = loop
        self._news: anyio.Event | None = None
        """At the end of the feed: set when there may be more."""
        self._read_at = 0.0
        self._failures = 0

    async def __anext__(self) -> FeedBatch:
        self._loop.check()
        await self._until_due()
        while not self._signal.left:
            news = self._signal.next_news()  # before the read, so that no entry is overlooked
            self._read_at = anyio.current_time()
            try:
                page = await self._reader.read(BATCH_MAX)
            except Unavailable as error:
                await self._failed(error)
                continue
            self._succeeded()
            self._news = None if page.more else news
            if page.entries:
                return FeedBatch(entries=page.entries, position=_encoded(self._epoch, page.position))
            await self._until_due()
        raise StopAsyncIteration

    async def _until_due(self) -> None:
        """At the end of the feed, wait until there may be more entries."""
        if self._news is not None:
            with anyio.move_on_after(POLL_S):
                await self._news.wait()
            await self._signal.wait_left(self._read_at + READ_PAUSE_S - anyio.current_time())

    async def _failed(self, error: Unavailable) -> None:
        if self._signal.left:
            return
        if not self._failures:
            log.warning("reading the feed failed, and is tried again: %s", reason(error))
        pause = min(RETRY_S * 2**self._failures, RETRY_MAX_S)
        self._failures += 1
        self._news = None
        await self._signal.wait_left(pause)

    def _succeeded(self) -> None:
        if self._failures:
            log.info("reading the feed works again")
        self._failures = 0


def open_feed(store: Store, after: str | None, signal: FeedSignal, loop: LoopGuard) -> Feed:
    """Return a new feed of a store that is open; see `Chat.feed`."""
    if not isinstance(store, EntryFeed):
        raise TypeError(
            f"{type(store).__name__} has no feed: the store must be a chatcore.ports.entry_feed.EntryFeed, as "
            "MemoryStore, SqliteStore and MongoStore are"
        )
    return Feed(store.feed(_start(store.epoch, after)), store.epoch, signal, loop)


def _start(epoch: str, after: str | None) -> FeedStart:
    if after is None:
        return 0
    if after == "now":
        return "now"
    return _decoded(epoch, after)


def _encoded(epoch: str, position: EntryPosition) -> str:
    return f"{_tag(epoch)}-{position:016x}"


def _decoded(epoch: str, text: object) -> EntryPosition:
    found = _POSITION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Invalid(
            "after is not a position of a feed: pass the position of a batch as it was, None to begin with the first "
            'entry, or "now".',
            field="after",
        )
    if found[1] != _tag(epoch):
        raise FeedReset
    return int(found[2], 16)


def _tag(epoch: str) -> str:
    """A store's epoch in 16 characters."""
    return hashlib.sha256(epoch.encode()).hexdigest()[:16]
