"""The sweep: what no hint told is found by asking the store, for every store and bus alike."""

import anyio

from ..ports.entry_log import EntryLog, Position
from .hub import Hub

SWEEP_S = 2
CHANGES_MAX = 1_000


class ChangePoller:
    """Tells the hub what the store has changed since position ``after``, every 2 s."""

    def __init__(self, store: EntryLog, hub: Hub, after: Position) -> None:
        self._store = store
        self._hub = hub
        self._after = after

    async def turn(self) -> None:
        await anyio.sleep(SWEEP_S)
        more = True
        while more:
            found = await self._store.changes(self._after, CHANGES_MAX)
            for change in found.changes:
                self._after = change.position
                self._hub.take_hint(change.room, change.seq, change.affects)
            more = found.more
