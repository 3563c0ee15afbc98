"""Accounts in this process's memory."""

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from itertools import islice

import attrs
from anyio.lowlevel import checkpoint
from attrs import define, frozen

from chatcore.accounts.ports import AccountStore, Rotation, Session
from chatcore.domain.names import search_forms
from chatcore.errors import Conflict
from chatcore.ids import UserId
from chatcore.ports.user_directory import Profile

SPENDS_KEPT = 16


@frozen
class _Account:
    password_hash: str
    profile: Profile


@define
class _Open:
    session: Session
    ends_at: float
    spent_at: list[float]
    """When the newest generations before the present one were spent, oldest first."""


class MemoryAccounts(AccountStore):
    """Accounts in memory. ``clock`` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._names: list[tuple[str, UserId]] = []  # sorted
        self._accounts: dict[UserId, _Account] = {}
        self._sessions: dict[str, _Open] = {}  # the least recently rotated session comes first

    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        await checkpoint()
        if user not in self._accounts:
            self._accounts[user] = _Account(password_hash, Profile(name=name))
            for form in search_forms(user, name):
                insort(self._names, (form, user))
        account = self._accounts[user]
        if account.password_hash != password_hash:
            raise Conflict

    async def password_hash(self, user: UserId) -> str | None:
        await checkpoint()
        account = self._accounts.get(user)
        return account.password_hash if account else None

    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        await checkpoint()
        return {user: self._accounts[user].profile for user in users if user in self._accounts}

    async def find(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        await checkpoint()
        found: dict[UserId, Profile] = {}
        for form, user in islice(self._names, bisect_left(self._names, (prefix, "")), None):
            if not form.startswith(prefix) or len(found) == limit:
                break
            found[user] = self._accounts[user].profile
        return found

    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        await checkpoint()
        now = self._clock()
        self._forget_the_ended(now)
        self._sessions[session.id] = _Open(session, now + lifetime.total_seconds(), [])

    async def session(self, session_id: str) -> Session | None:
        await checkpoint()
        opened = self._find(session_id)
        return opened.session if opened else None

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        await checkpoint()
        opened, now = self._find(session_id), self._clock()
        if opened is None:
            return None
        if opened.session.generation == generation:
            opened.session = attrs.evolve(opened.session, generation=generation + 1)
            opened.ends_at = now + lifetime.total_seconds()
            self._sessions[session_id] = self._sessions.pop(session_id)
            opened.spent_at = [*opened.spent_at, now][-SPENDS_KEPT:]
        back = opened.session.generation - generation
        known = 1 <= back <= len(opened.spent_at)
        return Rotation(
            session=opened.session, spent_for=timedelta(seconds=now - opened.spent_at[-back]) if known else None
        )

    async def end_session(self, session_id: str) -> None:
        await checkpoint()
        self._sessions.pop(session_id, None)

    def _forget_the_ended(self, now: float) -> None:
        while self._sessions:
            session_id, opened = next(iter(self._sessions.items()))
            if opened.ends_at > now:
                return
            del self._sessions[session_id]

    def _find(self, session_id: str) -> _Open | None:
        opened = self._sessions.get(session_id)
        return opened if opened and opened.ends_at > self._clock() else None
