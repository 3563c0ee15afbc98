"""Log lines about the faults of a store. Adapters use it: they know the store's place and the cause."""

import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final
from weakref import WeakSet

from .errors import Unavailable

EVERY_S = 10
"""Seconds between two lines about a fault that lasts."""
QUIET_S = 1
"""Seconds without a failed call after which a success ends a fault."""

log: Final = logging.getLogger(__name__)


class FaultLog:
    """Logs the cause of a fault while the fault lasts, and its end: at most one line in 10 s.

    A fault ends with the first success at least 1 s after the last failure.

    Args:
        where: the name by which the operator knows the store, without secrets.
        use: what cannot be done, as a participle, such as "read" for "X can't be read".
        clock: returns monotonic seconds.
    """

    def __init__(self, where: str, use: str = "used", clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._use = use
        self._clock = clock
        self._next = float("-inf")
        self._reported = False
        self._failures = 0
        self._first = self._last = 0.0
        self._seen = WeakSet[Unavailable]()  # nested calls may note the same exception

    def note(self, fault: Unavailable) -> None:
        """Record that a call failed."""
        if fault in self._seen:
            return
        self._seen.add(fault)
        self._last = self._clock()
        if not self._failures:
            self._first = self._last
        self._failures += 1
        if self._last >= self._next:
            self._next = self._last + EVERY_S
            self._reported = True
            log.warning(
                "%s can't be %s: %s. Calls fail with `unavailable` until it can.", self._where, self._use, reason(fault)
            )

    def succeeded(self) -> None:
        """Record that a call succeeded. The method is cheap enough to follow every call."""
        if self._failures and self._clock() - self._last >= QUIET_S:
            self._end(self._clock() - self._first)

    def _end(self, lasted: float) -> None:
        if self._reported:
            log.warning(
                "%s can be %s again after %.1f s; failed calls: %d.", self._where, self._use, lasted, self._failures
            )
        self._reported = False
        self._failures = 0


def reason(error: BaseException) -> str:
    """Return the cause of an error in one line: its text, or its type and place if it has no text."""
    cause = error.__cause__ or error
    return " ".join(str(cause).split()).rstrip(".") or _type_and_place(cause)


def _type_and_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
