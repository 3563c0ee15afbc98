"""Rate limits on the commands of a user and on the messages of a room."""

import logging
import time
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from attrs import frozen

from ..domain.token_buckets import TokenBuckets
from ..errors import RateLimited
from ..ids import RoomId, UserId
from ..log_throttle import LogThrottle
from ..ports.rate_limiter import LimitName, Rate, RateLimiter
from .command import RoomCommand

USER_SHOWN = 64
"""Characters of a user or room id in a log line."""

log: Final = logging.getLogger(__name__)


@frozen(kw_only=True)
class SendRates:
    """Rates of the commands ``message.…``, which append to a room, per user and per room. None is no limit.

    A rate's ``amount`` is the largest burst, and ``amount / period_s`` is the sustained rate.
    """

    user: Rate | None = None
    room: Rate | None = None


class CommandLimits:
    """Decides whether a command fails with `RateLimited`.

    The limits of a user are checked before a command is queued. The limit of a room counts only messages that the room
    accepts: an earlier check would show to strangers that the room exists.

    Args:
        rates: rates of messages, per user and per room.
        limiter: counts rare events: rooms that a user creates, and users that a user invites.
        clock: returns monotonic seconds.
    """

    def __init__(self, rates: SendRates, limiter: RateLimiter, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = rates.user and TokenBuckets(rates.user.amount, rates.user.period_s)
        self._rooms = rates.room and TokenBuckets(rates.room.amount, rates.room.period_s)
        self._limiter = limiter
        self._clock = clock
        self._throttle = LogThrottle(clock=clock)

    def refusal(self, user: UserId, command: RoomCommand[Any]) -> RateLimited | None:
        """Count a command for its user. Returns None if the limits admit it."""
        # A message takes as few calls as possible: this is the hot path.
        if not command.is_message:
            return self._rare_refusal(user, command) if command.counts else None
        if self._users and (wait := self._users.take(user, self._clock())):
            return self._refused("send", user, wait)
        return None

    def room_refusal(self, room: RoomId) -> RateLimited | None:
        """Count a message that its room accepts otherwise. Returns None if the room's limit admits it."""
        if self._rooms and (wait := self._rooms.take(room, self._clock())):
            return self._refused("send_room", room, wait)
        return None

    def give_back(self, user: UserId) -> None:
        """Uncount a user's message that the limit of its room refused."""
        if self._users:
            self._users.give_back(user)

    def _rare_refusal(self, user: UserId, command: RoomCommand[Any]) -> RateLimited | None:
        taken: list[tuple[LimitName, int]] = []
        for limit, cost in command.counts.items():
            if wait_ms := self._limiter.take(limit, user, cost):
                for taken_limit, taken_cost in taken:
                    self._limiter.give_back(taken_limit, user, taken_cost)
                return self._refused(limit, user, wait_ms / 1000)
            taken.append((limit, cost))
        return None

    def _refused(self, limit: str, key: str, wait_s: float) -> RateLimited:
        if self._throttle.admits((limit, key)):
            log.warning("command limit reached: limit=%s key=%s", limit, ascii(key[:USER_SHOWN]))
        return RateLimited(retry_after_ms=ceil(1000 * wait_s))
