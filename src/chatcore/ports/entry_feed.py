"""The port of a store that can hand out the entries of all rooms one after the other, for `Chat.feed`.

An optional capability: a store that has it subclasses `EntryFeed` too.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeAlias

from attrs import frozen

from ..domain.entries import Entry

EntryPosition: TypeAlias = int
"""A position in the entry feed of a store, from 0 and below 2**64. 0 is below all entries."""

FeedStart: TypeAlias = EntryPosition | Literal["now"]
"""Where a pass starts: above a position, or above what the store holds at the first read."""


@frozen(kw_only=True)
class FeedPage:
    """Entries of one read of a pass.

    Attributes:
        entries: the next entries of the pass.
        position: a later pass, of any process, may start from here and misses nothing. It then repeats at most the
            entries of the last 10 seconds before the end of this page.
        more: whether there may be further entries already.
    """

    entries: Sequence[Entry]
    position: EntryPosition
    more: bool


class FeedReader(ABC):
    """One pass over the entries of a store. It has one caller at a time."""

    @abstractmethod
    async def read(self, limit: int) -> FeedPage:
        """Return the next entries of this pass, about ``limit`` of them; none at the end.

        Every entry comes once in a pass, as it is stored at that moment: a redacted message comes redacted. The entries
        of a room come by ascending seq, and after the first one without a hole. Rooms have no order among each other.

        After an exception or a cancellation the next call returns what this one would have returned.

        Raises:
            Unavailable: the store cannot be reached, or does not answer within 2 seconds.
            FeedReset: the pass starts from a position above all entries. The store has lost entries, for example by a
                restored backup.
        """


class EntryFeed(ABC):
    """A store that can hand out the entries of all rooms."""

    @abstractmethod
    def feed(self, after: FeedStart) -> FeedReader:
        """Return a new pass that starts at ``after``. Passes do not affect each other."""


class OrderedFeedReader(FeedReader):
    """A pass over a store in which entries become visible by ascending position.

    Args:
        read: returns up to ``limit`` entries above a position; for "now" no entries and the newest position. Raises
            what `FeedReader.read` raises.
        after: where the pass starts.
    """

    def __init__(self, read: Callable[[FeedStart, int], Awaitable[FeedPage]], after: FeedStart) -> None:
        self._read = read
        self._after: FeedStart = after

    async def read(self, limit: int) -> FeedPage:
        page = await self._read(self._after, limit)
        self._after = page.position
        return page
