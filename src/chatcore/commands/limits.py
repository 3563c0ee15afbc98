"""Limits on the commands of a user, and on the messages of a room."""

import logging
import time
from collections.abc import Callable
from math import ceil
from typing import Any

from attrs import frozen

from ..domain.token_buckets import TokenBuckets
from ..errors import RateLimited
from ..ids import RoomId, UserId
from ..ports.log_throttle import LogThrottle
from ..ports.rate_limiter import LimitName, Rate, RateLimiter
from .command import RoomCommand

USER_SHOWN = 64

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class SendRates:
    """Rates of the commands ``message.…``, which append to a room; None admits everything.

    ``amount`` is the burst, and ``amount`` / ``period_s`` the rate at which it comes back.
    """

    user: Rate | None = None
    room: Rate | None = None


class CommandLimits:
    """Decides whether a command is refused as `RateLimited`, before it is queued at its room.

    Args:
        rates: of messages, per user and per room.
        limiter: counts what is rare: rooms that a user creates, and users that a user invites.
        clock: monotonic seconds.
    """

    def __init__(self, rates: SendRates, limiter: RateLimiter, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = rates.user and TokenBuckets(rates.user.amount, rates.user.period_s)
        self._rooms = rates.room and TokenBuckets(rates.room.amount, rates.room.period_s)
        self._limiter = limiter
        self._clock = clock
        self._throttle = LogThrottle(clock=clock)

    def refusal(self, user: UserId, room: RoomId, command: RoomCommand[Any]) -> RateLimited | None:
        """Count a command. Returns None if it is admitted. At most three calls for a message: it is the hot path."""
        if not command.is_message:
            return self._rare_refusal(user, command) if command.counts else None
        now = self._clock()
        if self._users and (wait := self._users.take(user, now)):
            return self._refused("send", user, wait)
        if self._rooms and (wait := self._rooms.take(room, now)):
            if self._users:
                self._users.give_back(user)
            return self._refused("send_room", room, wait)
        return None

    def forget_in_room(self, room: RoomId) -> None:
        """Uncount a message that its room refused, so strangers can't use up what members may send."""
        if self._rooms:
            self._rooms.give_back(room)

    def _rare_refusal(self, user: UserId, command: RoomCommand[Any]) -> RateLimited | None:
        taken: list[tuple[LimitName, int]] = []
        for limit, cost in command.counts.items():
            if wait_ms := self._limiter.take(limit, user, cost):
                for earlier, its_cost in taken:
                    self._limiter.give_back(earlier, user, its_cost)
                return self._refused(limit, user, wait_ms / 1000)
            taken.append((limit, cost))
        return None

    def _refused(self, limit: str, key: str, wait_s: float) -> RateLimited:
        if self._throttle.admits((limit, key)):
            log.warning("command limit reached: limit=%s key=%s", limit, ascii(key[:USER_SHOWN]))
        return RateLimited(retry_after_ms=ceil(1000 * wait_s))
