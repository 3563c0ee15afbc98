"""What everything in a simulated world stands on: its chance, its faults, its time, and what has come to light."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from attrs import frozen

from ...domain.entries import Entry
from ...ids import RoomId, Seq, UserId
from ...ports.connection import ByeCode
from ..clock import ShuffledLoop
from .cancellation import CancelAt, Cancellation
from .climate import Climate
from .faults import Faults, Injected, InjectedRuntimeError, InjectedValueError
from .marks import Marks
from .owners import Owner
from .truth import Truth

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@frozen
class Pushed:
    """An entry that a socket of a user got from a node."""

    at: float
    node: Owner
    user: UserId
    entry: Entry


class World:
    """One seed's world. Everything that chance decides comes from ``random``."""

    loop: ShuffledLoop

    def __init__(
        self,
        seed: int,
        *,
        tracing: bool,
        cancel_at: CancelAt | None = None,
        climate: Callable[[Climate], Climate] | None = None,
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.climate = Climate.drawn(self.random)
        if climate:
            self.climate = climate(self.climate)
        self.counts: Counter[str] = Counter()
        self.faults = Faults(self.random, self.climate.rates, self.counts)
        self.cancellation = Cancellation(cancel_at, self.faults, self.counts)
        self.cancelled = cancel_at.call if cancel_at else None
        """The calls that are cancelled, and are frequent therefore."""
        self.truth = Truth()
        self.marks = Marks()
        self.users: Sequence[UserId] = self.climate.users
        self.epochs = [f"epoch-{seed}"]
        self.broken: list[str] = []
        self.pushed: list[Pushed] = []
        self.shown: set[tuple[UserId, RoomId, Seq]] = set()
        """The joinings that users were told of by the push `room`."""
        self.blocked = 0
        """How many nodes are blocked."""
        self.closable: set[tuple[ByeCode, str]] = set()
        """The sockets that may be `kicked`, and the sessions that may be `signed_out`."""
        self._raised: dict[Owner, float] = {}
        self.outages: list[tuple[float, float]] = []
        """From when to when the store was away in a world in which nothing else goes wrong."""
        self.trace: list[str] | None = [] if tracing else None
        self.context = copy_context()
        self._ids = 0

    @property
    def epoch(self) -> str:
        return self.epochs[-1]

    @property
    def now(self) -> float:
        return self.loop.time()

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def clock(self, skew_s: float = 0) -> datetime:
        """Wall-clock time with whole milliseconds, as a node sees it whose clock is wrong by ``skew_s``."""
        return NOON + timedelta(milliseconds=int((self.now + skew_s) * 1000))

    def injected(self, node: Owner) -> Injected:
        """What a port or a callback of ``node`` raises against its contract, as it raises it."""
        self._raised[node] = self.now
        return self.random.choice((InjectedValueError, InjectedRuntimeError))("injected")

    def raised(self, node: Owner, since: float) -> bool:
        """Whether ``node`` was given an `injected` fault since then."""
        return self._raised.get(node, float("-inf")) >= since

    def later(self, seconds: float, work: Any, *arguments: object) -> None:
        """Call ``work`` in nobody's name after so many seconds; 0 is soon."""
        if seconds > 0:
            self.loop.call_later(seconds, work, *arguments, context=self.context)
        else:
            self.loop.call_soon(work, *arguments, context=self.context)

    def delay(self) -> float:
        """How long something takes that travels, on an ordinary day; nothing takes long once the faults are over."""
        random = self.random.random
        if self.faults.over:
            return 0
        return 0 if random() < self.climate.promptness else random() * self.climate.delay_s

    def tell(self, what: str, *about: object) -> None:
        """Write a line of the run's story, when somebody wants it. ``about`` fills ``what``."""
        if self.trace is not None:
            self.trace.append(f"{self.now:9.4f} {what % about if about else what}")

    def excuse(self, why: str) -> None:
        """Count what is not judged as strictly as it could be, and why; ``docs/simulation.md`` has the list."""
        self.counts[f"excuse: {why}"] += 1

    def fault(self, promise: str) -> None:
        """Something is not as promised."""
        self.broken.append(promise)
        self.tell("BROKEN %s", promise)
