"""The users whose last socket on this node has ended: what it said, for 10 s, and when they were last seen."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

import anyio
from attrs import frozen

from ..domain.presence import GRACE_S, ActiveState
from ..errors import ChatError
from ..fault_log import reason
from ..ids import UserId
from ..ports.last_seen import LastSeen
from .event_loop import current_time

COLLECTED_S = 1
"""Seconds for which the times of users are collected before they are written."""
USERS_TOGETHER = 500
"""The most users in one call of the store."""
UNSAVED_MAX = 10_000
"""The most users whose times wait to be written. The oldest times are dropped if the store fails for long."""
FINISH_S = 2
"""Seconds that a Chat waits at its end for the times to be written."""

TOO_SLOW = f"the store took more than {FINISH_S} s"

log: Final = logging.getLogger(__name__)


@frozen
class Departure:
    """The end of a user's last socket on this node: when it ended, in the event loop's time, and what it said."""

    at: float
    state: ActiveState


class Departures:
    """Remembers users who leave this node for 10 s, and writes to the store when they were last seen.

    Args:
        clock: returns the UTC time at which users are last seen.

    Attributes:
        recent: the departures of the last 10 s, the oldest first. Callers take out users who come back.
    """

    def __init__(self, store: LastSeen, clock: Callable[[], datetime]) -> None:
        self.recent: dict[UserId, Departure] = {}
        self._store = store
        self._clock = clock
        self._unsaved: dict[UserId, datetime] = {}  # the oldest first
        self._any = anyio.Event()

    def add(self, user: UserId, state: ActiveState) -> Departure:
        """Note that a user's last socket on this node, which said ``state``, has ended just now."""
        self.recent.pop(user, None)
        departure = self.recent[user] = Departure(current_time(), state)
        self._save_later(user)
        self._any.set()
        return departure

    async def read_last_seen(self, users: Sequence[UserId]) -> Mapping[UserId, datetime | None]:
        """Return when users were last seen, as the store has it; None for those of whom it does not know.

        Raises `Unavailable`.
        """
        found: dict[UserId, datetime | None] = dict.fromkeys(users)
        for start in range(0, len(users), USERS_TOGETHER):
            found |= await self._store.last_seen(users[start : start + USERS_TOGETHER])
        return found

    def last_seen(self, user: UserId, stored: datetime | None) -> datetime | None:
        """Return when a user was last seen: as stored, or later where that is not stored yet."""
        return max((at for at in (stored, self._unsaved.get(user)) if at), default=None)

    async def write(self) -> None:
        """Wait until users have left, and write when. Forget after 10 s that they have. Raises `Unavailable`."""
        await self._any.wait()
        await anyio.sleep(COLLECTED_S)
        await self._write_all()
        before = current_time() - GRACE_S
        for user, departure in tuple(self.recent.items()):
            if departure.at > before:
                break
            del self.recent[user]
        if not self.recent and not self._unsaved:
            self._any = anyio.Event()

    async def finish(self, users: Iterable[UserId]) -> None:
        """Write what waits, and the present time for ``users``: their sockets end with the Chat."""
        for user in users:
            self._save_later(user)
        self.recent.clear()
        with anyio.move_on_after(FINISH_S, shield=True) as finishing:
            try:
                await self._write_all()
            except ChatError as error:
                log.warning("presence not stored: users=%s reason=%s", len(self._unsaved), reason(error))
            except Exception:
                log.exception("presence not stored: users=%s", len(self._unsaved))
        if finishing.cancelled_caught:
            log.warning("presence not stored: users=%s reason=%s", len(self._unsaved), TOO_SLOW)

    def _save_later(self, user: UserId) -> None:
        self._unsaved.pop(user, None)
        self._unsaved[user] = self._clock()
        if len(self._unsaved) > UNSAVED_MAX:
            del self._unsaved[next(iter(self._unsaved))]

    async def _write_all(self) -> None:
        while self._unsaved:
            times = dict(islice(self._unsaved.items(), USERS_TOGETHER))
            await self._store.note_last_seen(times)
            for user, at in times.items():
                if self._unsaved.get(user) == at:
                    del self._unsaved[user]
