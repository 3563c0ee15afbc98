"""The change poller: finds the changes of a store that no hint reported."""

import anyio

from ..ports.entry_log import EntryLog, FeedPosition
from .hub import Hub

POLL_S = 2
"""Seconds between two polls."""
CHANGES_MAX = 1_000


class ChangePoller:
    """Polls a store's change feed every 2 s, from position ``after``, and hands the changes to the hub as hints."""

    def __init__(self, store: EntryLog, hub: Hub, after: FeedPosition) -> None:
        self._store = store
        self._hub = hub
        self._after = after

    async def poll(self) -> None:
        """Wait until the next poll is due, then read all changes since the last one. Raises `Unavailable`."""
        await anyio.sleep(POLL_S)
        more = True
        while more:
            page = await self._store.changes(self._after, CHANGES_MAX)
            for change in page.changes:
                self._after = change.position
                self._hub.take_hint(change.room, change.seq, change.affects)
            more = page.more
