"""The change poller: finds the changes of a store that no hint reported."""

import anyio

from ..ports.blocks import BlockPosition
from ..ports.entry_log import FeedPosition
from ..ports.store import Store
from .hub import Hub

POLL_S = 2
"""Seconds between two polls."""
CHANGES_MAX = 1_000


class ChangePoller:
    """Polls a store every 2 s, and hands its changes to the hub as hints.

    Args:
        after: the position in the store's change feed to start from.
        blocks_after: the position among its blocks to start from.
    """

    def __init__(self, store: Store, hub: Hub, after: FeedPosition, blocks_after: BlockPosition) -> None:
        self._store = store
        self._hub = hub
        self._after = after
        self._blocks_after = blocks_after

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
        new = await self._store.new_blocks(self._blocks_after)
        for user, other in new.pairs:
            self._hub.note_block(user, other)
        self._blocks_after = new.position
