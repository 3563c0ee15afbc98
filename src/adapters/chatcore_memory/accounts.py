"""Accounts in this process's memory."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

import attrs
from anyio.lowlevel import checkpoint
from attrs import define, frozen

from chatcore.accounts.ports import AccountStore, Rotation, Session
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
    """When the newest generations before the present one were spent, the last one last."""


class MemoryAccounts(AccountStore):
    """``clock`` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[UserId, _Account] = {}
        self._sessions: dict[str, _Open] = {}  # the one that rests longest comes first

    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        await checkpoint()
        account = self._accounts.setdefault(user, _Account(password_hash, Profile(name=name)))
        if account.password_hash != password_hash:
            raise Conflict

    async def password_hash(self, user: UserId) -> str | None:
        await checkpoint()
        found = self._accounts.get(user)
        return found.password_hash if found else None

    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        await checkpoint()
        return {user: self._accounts[user].profile for user in users if user in self._accounts}

    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        await checkpoint()
        now = self._clock()
        self._forget_the_ended(now)
        self._sessions[session.id] = _Open(session, now + lifetime.total_seconds(), [])

    async def session(self, session_id: str) -> Session | None:
        await checkpoint()
        found = self._find(session_id)
        return found.session if found else None

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        await checkpoint()
        found, now = self._find(session_id), self._clock()
        if found is None:
            return None
        if found.session.generation == generation:
            found.session = attrs.evolve(found.session, generation=generation + 1)
            found.ends_at = now + lifetime.total_seconds()
            self._sessions[session_id] = self._sessions.pop(session_id)
            found.spent_at = [*found.spent_at, now][-SPENDS_KEPT:]
        back = found.session.generation - generation
        known = 1 <= back <= len(found.spent_at)
        return Rotation(
            session=found.session, spent_for=timedelta(seconds=now - found.spent_at[-back]) if known else None
        )

    async def end_session(self, session_id: str) -> None:
        await checkpoint()
        self._sessions.pop(session_id, None)

    def _forget_the_ended(self, now: float) -> None:
        while self._sessions:
            session_id, found = next(iter(self._sessions.items()))
            if found.ends_at > now:
                return
            del self._sessions[session_id]

    def _find(self, session_id: str) -> _Open | None:
        found = self._sessions.get(session_id)
        return found if found and found.ends_at > self._clock() else None
