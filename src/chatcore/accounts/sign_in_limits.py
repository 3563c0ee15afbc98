"""Limits on sign-ins and sign-ups, which apply before a password is hashed."""

import logging
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeAlias

from attrs import frozen

from ..domain.addresses import client_network
from ..errors import ChatError, RateLimited
from ..ids import UserId
from ..ports.log_throttle import LogThrottle
from ..ports.rate_limiter import LimitName, RateLimiter
from .attempts import RecentAttempts, RecentSuccesses
from .hash_queue import HashQueue
from .slow_lane import SlowLane

TOO_MANY = "Too many attempts; wait and try again."
NAME_SHOWN = 64

_log = logging.getLogger(__name__)

Taken: TypeAlias = Sequence[tuple[LimitName, str]]


@frozen
class Source:
    """A name, and the network that its client's address counts as."""

    name: str
    network: str

    @property
    def pair(self) -> str:
        return f"{self.network} {self.name}"


@frozen
class Attempt:
    """An attempt that is looked at. ``known`` says that its address signed in with its name in the last 30 days."""

    known: bool
    count: Callable[[], float]
    """Recent attempts by now: of the name and address where they are known, of the address otherwise."""
    queue: HashQueue

    def hashing(self) -> AbstractAsyncContextManager[None]:
        """Wait for a turn to hash. Raises `RateLimited`."""
        return self.queue.turn(known=self.known, attempts=self.count)


class SignInLimits:
    """Limits on failed sign-ins and on sign-ups, and the queue of hashes.

    Failures of a name from an address are limited strictly, against guessing from one address. Failures from an
    address are limited unless the address signed in with the name before, so users behind one address don't lock each
    other out. Above the limit of a name over all addresses, attempts from addresses that never signed in with it wait
    in a slow lane, so strangers don't lock its user out.

    Args:
        limiter: counts. The queue of hashes is bounded whatever it admits.
        hashes_at_once: how many hashes may run at the same time.
        monotonic: seconds.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        hashes_at_once: int,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._limiter = limiter
        self._queue = HashQueue(hashes_at_once, monotonic=monotonic)
        self._slow = SlowLane(limiter)
        self._attempts = RecentAttempts(monotonic)
        self._successes = RecentSuccesses(monotonic)
        self._throttle = LogThrottle(clock=monotonic)

    @asynccontextmanager
    async def sign_in(self, user: UserId | None, address: str | None) -> AsyncGenerator[Attempt]:
        """Wait until a sign-in may be looked at. It succeeds if the block ends without an error.

        Failures count, and a success forgets the failures of its name and address. ``user`` is None for a name that no
        account can have. Raises `RateLimited`.
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
                await self._slow.turn(source.name, attempt.count)
            yield attempt
        self._give_back(taken)
        self._limiter.clear("sign_in", source.pair)
        self._successes.add(source.pair)

    @asynccontextmanager
    async def sign_up(self, user: UserId, address: str | None) -> AsyncGenerator[Attempt]:
        """Admit a sign-up, which counts unless it fails temporarily. It succeeds if the block ends without an error.

        Raises `RateLimited`.
        """
        source = Source(user, client_network(address))
        attempt = self._attempt(False, source.network)
        taken: Taken = [("sign_in", f"sign-up {source.pair}"), ("sign_up", source.network)]
        self._take(taken, source)
        with self._uncounted_if_temporary(taken):
            yield attempt
        self._successes.add(source.pair)

    def _attempt(self, known: bool, key: str) -> Attempt:
        self._attempts.add(key)
        return Attempt(known, partial(self._attempts.of, key), self._queue)

    def _take(self, wanted: Taken, source: Source) -> None:
        """Count under all limits, or under none. Raises `RateLimited`."""
        for number, (limit, key) in enumerate(wanted):
            if wait_ms := self._limiter.take(limit, key):
                self._give_back(wanted[:number])
                self._log(limit, source)
                raise RateLimited(TOO_MANY, retry_after_ms=wait_ms)

    def _give_back(self, taken: Taken) -> None:
        for limit, key in taken:
            self._limiter.give_back(limit, key)

    @contextmanager
    def _uncounted_if_temporary(self, taken: Taken) -> Generator[None]:
        """A fault of the server, or its full queue, is no wrong password."""
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
