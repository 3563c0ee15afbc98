"""Limits on sign-ins and sign-ups, which apply before a password is hashed."""

import logging
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeAlias

from attrs import frozen

from ..domain.client_networks import client_network
from ..errors import ChatError, RateLimited
from ..ids import UserId
from ..log_throttle import LogThrottle
from ..ports.rate_limiter import LimitName, RateLimiter
from .attempts import RecentAttempts, RecentSuccesses
from .hash_queue import HashQueue
from .slow_lane import SlowLane

TOO_MANY = "Too many attempts; wait and try again."
NAME_SHOWN = 64

_log = logging.getLogger(__name__)

LimitKeys: TypeAlias = Sequence[tuple[LimitName, str]]
"""Limits, each with the key that an attempt counts under."""


@frozen
class Source:
    """The user name of an attempt, and the network of its client's address."""

    name: str
    network: str

    @property
    def pair(self) -> str:
        return f"{self.network} {self.name}"


@frozen
class SignInAttempt:
    """A sign-in or sign-up that the limits have admitted.

    Attributes:
        known: whether its address signed in with its name in the last 30 days.
        count: returns the number of recent attempts by now: of the name and address if they are known, of the address
            otherwise.
        queue: the queue of all hashes.
    """

    known: bool
    count: Callable[[], float]
    queue: HashQueue

    def hashing(self) -> AbstractAsyncContextManager[None]:
        """Wait for a turn to hash, which lasts as long as the block. Raises `RateLimited`."""
        return self.queue.turn(known=self.known, attempts=self.count)


class SignInLimits:
    """Limits on failed sign-ins and on sign-ups, and the queue of hashes.

    Failures of a name from an address are limited strictly, against guessing from one address. Failures from an
    address are limited unless the address signed in with the name before, so users behind one address do not lock
    each other out. Above the limit of a name over all addresses, attempts from addresses that never signed in with it
    wait in a slow lane, so strangers do not lock its user out.

    Args:
        limiter: counts the failures and sign-ups. The queue of hashes is bounded also if the limiter admits everything.
        hashes_at_once: how many hashes may run at the same time.
        monotonic: returns monotonic seconds.
    """

    def __init__(self, limiter: RateLimiter, hashes_at_once: int, *, monotonic: Callable[[], float]) -> None:
        self._limiter = limiter
        self._queue = HashQueue(hashes_at_once, monotonic=monotonic)
        self._slow_lane = SlowLane(limiter)
        self._attempts = RecentAttempts(monotonic)
        self._successes = RecentSuccesses(monotonic)
        self._throttle = LogThrottle(clock=monotonic)

    @asynccontextmanager
    async def sign_in(self, user: UserId | None, address: str | None) -> AsyncGenerator[SignInAttempt]:
        """Wait until a sign-in is admitted. It has succeeded if the block ends without an error.

        A failure counts under the limits. A success clears the failures of its name and address.

        Args:
            user: None for a name that no account can have.
            address: the client's address.

        Raises:
            RateLimited: a limit is reached.
        """
        source = Source(user or "", client_network(address))
        known = source.pair in self._successes
        attempt = self._attempt(known, source.pair if known else source.network)
        taken: list[tuple[LimitName, str]] = [("sign_in", source.pair)]
        if not known:
            taken.append(("sign_in_address", source.network))
        self._take(taken, source)
        is_guessed = not known and self._limiter.take("sign_in_name", source.name) > 0
        if not known and not is_guessed:
            taken.append(("sign_in_name", source.name))
        with self._uncounted_if_temporary(taken):
            if is_guessed:
                self._log("sign_in_name", source)
                await self._slow_lane.turn(source.name, attempt.count)
            yield attempt
        self._give_back(taken)
        self._limiter.clear("sign_in", source.pair)
        self._successes.add(source.pair)

    @asynccontextmanager
    async def sign_up(self, user: UserId, address: str | None) -> AsyncGenerator[SignInAttempt]:
        """Admit a sign-up. It has succeeded if the block ends without an error.

        A sign-up counts under the limits, unless it fails temporarily.

        Raises:
            RateLimited: a limit is reached.
        """
        source = Source(user, client_network(address))
        attempt = self._attempt(False, source.network)
        taken: LimitKeys = [("sign_in", f"sign-up {source.pair}"), ("sign_up", source.network)]
        self._take(taken, source)
        with self._uncounted_if_temporary(taken):
            yield attempt
        self._successes.add(source.pair)

    def _attempt(self, known: bool, key: str) -> SignInAttempt:
        self._attempts.add(key)
        return SignInAttempt(known, partial(self._attempts.of, key), self._queue)

    def _take(self, keys: LimitKeys, source: Source) -> None:
        """Count under all limits, or under none if one is reached. Raises `RateLimited`."""
        for index, (limit, key) in enumerate(keys):
            if wait_ms := self._limiter.take(limit, key):
                self._give_back(keys[:index])
                self._log(limit, source)
                raise RateLimited(TOO_MANY, retry_after_ms=wait_ms)

    def _give_back(self, taken: LimitKeys) -> None:
        for limit, key in taken:
            self._limiter.give_back(limit, key)

    @contextmanager
    def _uncounted_if_temporary(self, taken: LimitKeys) -> Generator[None]:
        """Give back what was counted if the block fails temporarily: that is the server's fault, not a wrong guess."""
        try:
            yield
        except ChatError as error:
            if error.temporary:
                self._give_back(taken)
            raise

    def _log(self, limit: LimitName, source: Source) -> None:
        is_of_address = limit in ("sign_in_address", "sign_up")
        if self._throttle.admits((is_of_address, source.network if is_of_address else source.name)):
            name = ascii(source.name[:NAME_SHOWN])
            _log.warning("sign-in limit reached: limit=%s name=%s address=%s", limit, name, source.network)
