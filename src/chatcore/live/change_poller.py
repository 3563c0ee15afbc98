"""The change poller: it asks the store for changes of which no hint told, for every store and bus alike."""

import anyio

from ..ports.entry_log import EntryLog, Position
from .hub import Hub

POLL_S = 2
CHANGES_MAX = 1_000


class ChangePoller:
    """Tells the hub every 2 s which rooms have changed since position ``after`` of the store's change feed."""

    def __init__(self, store: EntryLog, hub: Hub, after: Position) -> None:
        self._store = store
        self._hub = hub
        self._after = after

    async def turn(self) -> None:
        await anyio.sleep(POLL_S)
        more = True
        while more:
            page = await self._store.changes(self._after, CHANGES_MAX)
            for change in page.changes:
                self._after = change.position
                self._hub.take_hint(change.room, change.seq, change.affects)
            more = page.more
