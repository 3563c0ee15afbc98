"""How many frames without a command a client may send."""

from collections.abc import Callable

FRAMES_PER_S = 100
"""Frames without a command that a client may send in the long run."""
FRAMES_AT_ONCE = 500
"""Frames without a command that a client may send at once after it has been quiet."""


class FrameAllowance:
    """A token bucket over ``clock``, in monotonic seconds. A client's own commands are bounded by its inbox."""

    __slots__ = ("_clock", "_left", "_since")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(FRAMES_AT_ONCE)
        self._since = clock()

    def spend(self) -> bool:
        """Count a frame; False when it is one too many."""
        if self._left < 1:
            now = self._clock()
            self._left = min(FRAMES_AT_ONCE, self._left + (now - self._since) * FRAMES_PER_S)
            self._since = now
            if self._left < 1:
                return False
        self._left -= 1
        return True
