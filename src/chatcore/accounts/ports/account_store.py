"""Where accounts and their sessions are kept."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from datetime import timedelta

from attrs import field, frozen

from ...ids import UserId
from ...ports.user_directory import Profile


@frozen(kw_only=True)
class Session:
    """A device that is signed in. Its refresh tokens are numbered; the one of ``generation`` is the unspent one."""

    id: str
    user: UserId
    device: str
    generation: int


def _known_age(age: timedelta | None) -> timedelta | None:
    return None if age is None or age < timedelta(0) else age


@frozen(kw_only=True)
class Rotation:
    """The result of showing a session's refresh token.

    Attributes:
        session: the session as it is now.
        spent_for: how long ago the token was spent; zero when this call spent it. None when the token was never spent,
            when that was too long ago to be remembered, and when the age is negative: the store's clock was set back
            behind the time at which the token was spent, so the age is unknown.
    """

    session: Session
    spent_for: timedelta | None = field(converter=_known_age)


class AccountStore(ABC):
    """Accounts and sessions.

    Every method is one atomic operation, durable before it returns. All of them raise `Unavailable` when the store
    can't be reached, or does not answer within 2 seconds; whether something was written is unknown then. Time is the
    store's own, never a node's. A session that has ended, or outlived its lifetime, is gone for every method.

    A session's end is a time on the store's clock. When the clock is set back, sessions live longer by as much; when
    it is set forward, sessions with less time left end at once.
    """

    @abstractmethod
    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        """Enter an account. Raises `Conflict`, and changes nothing, when the user is there with another hash; with
        the same one it is this call, made again. Ids are equal when their code points are, and never given out again.
        """

    @abstractmethod
    async def password_hash(self, user: UserId) -> str | None:
        """What `create` was given, or None where there is no such user."""

    @abstractmethod
    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """The profiles of those of ``users`` who have an account, as of one snapshot."""

    @abstractmethod
    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        """Enter a session under an id that was never used. It ends when ``lifetime`` passes without a rotation."""

    @abstractmethod
    async def session(self, session_id: str) -> Session | None:
        """The session, or None where there is none."""

    @abstractmethod
    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        """Where the session is of ``generation``, make that the next one and let ``lifetime`` start anew; otherwise
        change nothing. Of any number of calls for one generation exactly one changes something.

        The times at which the last 16 generations were spent are remembered. None where there is no such session.
        """

    @abstractmethod
    async def end_session(self, session_id: str) -> None:
        """End a session, for ever; nothing happens where there is none."""
