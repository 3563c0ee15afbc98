"""Answers of the account store about sessions, kept for a while."""

from typing import TypeVar

OPEN_S = 10.0
"""Seconds for which a session counts as open without asking the store again. So a session that another node ends is
refused here after that time at the latest."""
SESSIONS_MAX = 10_000

_Value = TypeVar("_Value")


class SessionCache:
    """Sessions that were open lately, and sessions that have ended, which never open again.

    Times are seconds of one monotonic clock.

    Args:
        sessions_max: how many open sessions, and how many ended ones, are kept. Beyond it the oldest are dropped.
    """

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        self._sessions_max = sessions_max
        self._open: dict[str, float] = {}
        self._ended: dict[str, None] = {}

    def is_open(self, session: str, now: float) -> bool | None:
        """Return whether the session is open, or None if the store has to be asked."""
        if session in self._ended:
            return False
        asked_at = self._open.get(session)
        return True if asked_at is not None and now - asked_at < OPEN_S else None

    def add_open(self, session: str, asked_at: float) -> None:
        """Note that the session is open. ``asked_at`` is the time before the store was asked."""
        self._add(self._open, session, asked_at)

    def add_ended(self, session: str) -> None:
        """Note that the session has ended. A later `add_open` does not change that: its answer may be older."""
        self._open.pop(session, None)
        self._add(self._ended, session, None)

    def _add(self, sessions: dict[str, _Value], session: str, value: _Value) -> None:
        sessions.pop(session, None)  # moves the session to the end
        sessions[session] = value
        if len(sessions) > self._sessions_max:
            del sessions[next(iter(sessions))]
