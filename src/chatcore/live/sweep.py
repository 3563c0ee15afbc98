"""The sweep: what no hint told is found by asking the store, for every store and bus alike."""

import logging

import anyio

from ..errors import Unavailable
from ..ports.room_log import Position, RoomLog
from .hub import Hub

SWEEP_S = 2
CHANGES_MAX = 1_000

log = logging.getLogger(__name__)


async def sweep(store: RoomLog, hub: Hub, after: Position) -> None:
    """Every 2 s tell the hub what the store has changed since position ``after``; runs until cancelled."""
    reachable = True
    while True:
        await anyio.sleep(SWEEP_S)
        try:
            after = await _sweep_once(store, hub, after)
            reachable = True
        except Unavailable:
            if reachable:
                log.warning("the store can't be reached; asking again every %s s", SWEEP_S)
            reachable = False


async def _sweep_once(store: RoomLog, hub: Hub, after: Position) -> Position:
    while changes := await store.changes(after, CHANGES_MAX):
        for change in changes:
            hub.told(change.room, change.seq, change.affects)
        after = changes[-1].position
        if len(changes) < CHANGES_MAX:
            break
    return after
