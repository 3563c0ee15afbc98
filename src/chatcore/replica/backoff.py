"""How long a client waits after temporary failures."""

from attrs import define

from .effects import Object

PAUSE_MS_MIN, PAUSE_MS_MAX = 100, 5_000
"""Milliseconds of the first pause after a temporary failure, and of the longest one. Each pause doubles the last."""


@define
class Backoff:
    """The pauses after temporary failures in a row."""

    _next_ms: int = PAUSE_MS_MIN

    def pause_ms(self, error: Object) -> int:
        """Return the pause after one more temporary failure: what its error says, or twice the last one."""
        ms, self._next_ms = self._next_ms, min(2 * self._next_ms, PAUSE_MS_MAX)
        return int(error.get("retry_after_ms", ms))

    def reset(self) -> None:
        """Begin anew, after an answer that is no temporary failure."""
        self._next_ms = PAUSE_MS_MIN
