"""What an operator reads while a store fails; for adapters, which know where it is and what it said."""

import logging
import time
from collections.abc import Callable

from ..errors import Unavailable

EVERY_S = 10

log = logging.getLogger(__name__)


class FaultLog:
    """Says why a store can't be used: one line in ten seconds, however many callers meet the fault.

    ``where`` is what the operator knows it by, without secrets; ``clock`` gives seconds and never goes back.
    """

    def __init__(self, where: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._clock = clock
        self._next = float("-inf")

    def note(self, fault: Unavailable) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY_S
            why = str(fault.__cause__ or fault).rstrip(".")
            log.warning(
                "%s can't be used: %s. Whoever needs it is told `unavailable` until it heals.", self._where, why
            )
