"""What an operator reads while the database fails."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from chatcore.errors import Unavailable

EVERY_S = 10

log = logging.getLogger(__name__)


class FaultLog:
    """Says why a database can't be used: one line in ten seconds, however many callers meet the fault."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._next = float("-inf")

    def note(self, fault: Unavailable) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY_S
            why = str(fault.__cause__ or fault).rstrip(".")
            log.warning("%s can't be used: %s. Whoever needs it is told `unavailable` until it heals.", self._file, why)
