"""What the bundled accounts need from outside. The docstrings are the contract of an adapter."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TypeAlias

from attrs import field, frozen

from ..ids import UserId
from ..ports.authenticator import Principal
from ..ports.user_directory import Profile

Normaliser: TypeAlias = Callable[[str], UserId | None]
"""Returns the user id of a user name, the same for all spellings of the name; None if no account can have the name.

It is pure, accepts any string, and is idempotent: a user id is the user id of itself.
"""


@frozen(kw_only=True)
class Session:
    """A sign-in of one device.

    Attributes:
        generation: the number of the session's refresh token that is not spent yet. Numbers start at 1.
    """

    id: str
    user: UserId
    device: str
    generation: int


def _known_age(age: timedelta | None) -> timedelta | None:
    return None if age is None or age < timedelta(0) else age


@frozen(kw_only=True)
class Rotation:
    """The result of using a session's refresh token.

    Attributes:
        session: the session after the call.
        spent_for: how long ago the token was spent; zero if this call spent it. None if the token was never spent, or
            if the store has forgotten when. Also None for a negative age: the store's clock was set back behind the
            time at which the token was spent, so the age is unknown.
    """

    session: Session
    spent_for: timedelta | None = field(converter=_known_age)


class AccountStore(ABC):
    """Accounts and sessions.

    Every method is one atomic operation, durable before it returns. Every method raises `Unavailable` if the store
    cannot be reached or does not answer within 2 seconds; then it is unknown whether the store has written anything.
    Times are those of the store's clock, never of a node's clock. For every method, a session that has ended or
    outlived its lifetime does not exist.

    The end of a session is a time on the store's clock. If the clock is set back, sessions live longer by as much; if
    it is set forward, sessions with less time left end at once.
    """

    @abstractmethod
    async def create(self, user: UserId, password_hash: str, name: str | None) -> None:
        """Create an account.

        A call with the hash that the account already has is a repetition, and changes nothing. Ids are equal if their
        code points are equal, and an id is never used again.

        Raises:
            Conflict: the user exists with another hash; nothing changes.
        """

    @abstractmethod
    async def password_hash(self, user: UserId) -> str | None:
        """Return the hash that was given to `create`, or None for an unknown user."""

    @abstractmethod
    async def profiles(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """Return the profiles of the ``users`` who have an account, as of one snapshot."""

    @abstractmethod
    async def find(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        """Return up to ``limit`` users whose id or name begins with ``prefix``, in the order of the form that matches.

        ``prefix``, ids and names are compared as `chatcore.domain.names.search_form` returns them.
        """

    @abstractmethod
    async def open_session(self, session: Session, lifetime: timedelta) -> None:
        """Create a session, under an id that was never used. The session ends after ``lifetime`` without a rotation."""

    @abstractmethod
    async def session(self, session_id: str) -> Session | None:
        """Return a session, or None if it does not exist."""

    @abstractmethod
    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        """Use the refresh token of a generation.

        If the session is of that ``generation``, it gets the next one and ``lifetime`` starts anew; otherwise nothing
        changes. Exactly one of any number of calls for a generation changes the session. The store remembers when the
        last 16 generations were spent.

        Returns:
            The session after the call; None if it does not exist.
        """

    @abstractmethod
    async def end_session(self, session_id: str) -> None:
        """End a session for ever. A session that does not exist is no error."""


class PasswordHasher(ABC):
    """Slow password hashes, computed off the event loop.

    `Accounts` has at most ``at_once`` calls running at the same time.

    Attributes:
        at_once: how many hashes the hasher computes at the same time.
    """

    at_once: int

    @abstractmethod
    async def hash(self, password: str) -> str:
        """Return a salted hash that contains its own parameters. Two hashes of one password differ."""

    @abstractmethod
    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Return whether the hash is of this password.

        For an unknown user ``password_hash`` is None. The result is False then. It takes as much work as to verify a
        hash of `hash`, so that the time does not show which users exist.
        """


class TokenIssuer(ABC):
    """Makes tokens, and recognises its own. No method awaits; reading never raises.

    Nodes with the same secret read each other's tokens. A token is a credential: it must not get into logs and errors.
    """

    @abstractmethod
    def issue_access(self, session: Session) -> tuple[str, int]:
        """Return a new access token of the session, and the seconds until it expires."""

    @abstractmethod
    def read_access(self, token: str) -> Principal | None:
        """Return the user of an access token, with its session and expiry.

        The session may have ended: the token does not show it.

        Returns:
            None if the token was not issued here, was changed, or has expired.
        """

    @abstractmethod
    def issue_refresh(self, session: str, generation: int) -> str:
        """Return the refresh token of a session's generation: always the same token, so no store keeps it."""

    @abstractmethod
    def read_refresh(self, token: str) -> tuple[str, int] | None:
        """Return the session and generation of a refresh token; None if it was not issued here, or was changed."""
