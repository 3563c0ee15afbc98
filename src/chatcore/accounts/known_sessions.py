"""What a node knows of sessions without asking the store."""

from typing import TypeVar

GOOD_FOR_S = 10.0
"""How long "it is open" may be believed: a session that another node ends is refused here after so many seconds."""

_Value = TypeVar("_Value")


class KnownSessions:
    """Sessions found open lately, and sessions that have ended, for they never open again. Both are bounded in number.

    Times are seconds of one monotonic clock.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._open: dict[str, float] = {}
        self._ended: dict[str, None] = {}

    def is_open(self, session: str, now: float) -> bool | None:
        """Whether the session is open; None when the store has to be asked."""
        if session in self._ended:
            return False
        asked_at = self._open.get(session)
        return True if asked_at is not None and now - asked_at < GOOD_FOR_S else None

    def found_open(self, session: str, asked_at: float) -> None:
        """The store said so. ``asked_at`` is from before the question: the answer is no younger than that."""
        self._keep(self._open, session, asked_at)

    def ended(self, session: str) -> None:
        """It has ended, here or elsewhere; an answer of the store that is still under way can't revive it."""
        self._open.pop(session, None)
        self._keep(self._ended, session, None)

    def _keep(self, found: dict[str, _Value], session: str, value: _Value) -> None:
        found.pop(session, None)  # to the end of the line
        found[session] = value
        if len(found) > self._most:
            del found[next(iter(found))]
