"""Sign-up, sign-in, sessions, and who a token stands for."""

import logging
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta

import anyio
from attrs import field, frozen

from ..errors import Conflict, Invalid, Unauthenticated
from ..ids import UserId, new_id
from ..ports.authenticator import Credentials, Principal
from ..ports.rate_limiter import RateLimiter, Unlimited
from ..ports.user_directory import Profile
from .known_sessions import KnownSessions
from .ports import AccountStore, Normaliser, PasswordHasher, Session, TokenIssuer
from .sign_in_limits import SignInLimits

REPEAT_FOR = timedelta(seconds=5)
"""How long a spent refresh token gives its successor again, to a client that lost the answer."""

PASSWORD_LENGTH = (8, 1024)
NAME_LENGTH = (1, 100)
DEVICE_LENGTH = (1, 64)

_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Tokens:
    """What a device gets when it signs in or refreshes. ``expires_in`` is the access token's, in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    user: UserId
    device: str


async def _nothing(user: UserId, session: str) -> None:
    pass


class Accounts:
    """The accounts of one deployment, as one of its nodes serves them.

    `authenticate` is an `Authenticator`, `directory` a `UserDirectory`. A session ends by `sign_out`, by reuse of a
    spent refresh token, and after ``session_idle`` without a refresh. Of the first two ``on_ended`` is told, with user
    and session, on the node where it happens, once or (when two do it at the same time) twice; what it raises, the
    caller gets. Every method raises `Unavailable` when the store can't be reached.
    """

    def __init__(
        self,
        store: AccountStore,
        hasher: PasswordHasher,
        tokens: TokenIssuer,
        normalise: Normaliser,
        *,
        on_ended: Callable[[UserId, str], Awaitable[None]] = _nothing,
        limiter: RateLimiter | None = None,
        session_idle: timedelta = timedelta(days=30),
        monotonic: Callable[[], float] = anyio.current_time,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._tokens = tokens
        self._normalise = normalise
        self._on_ended = on_ended
        self._session_idle = session_idle
        self._monotonic = monotonic
        self._new_id = new_id
        self._known = KnownSessions()
        self._limits = SignInLimits(limiter or Unlimited(), hasher.at_once, monotonic=monotonic)

    async def sign_up(self, user: str, password: str, name: str | None = None, *, address: str | None = None) -> UserId:
        """Make an account and give its user id, ``user`` as `canonical` writes it. It signs nobody in.

        A password has 8 to 1024 characters, a name 1 to 100. ``address`` is the client's, for the limits. Raises
        `Invalid`, `Conflict` when the name is taken, and `RateLimited`.
        """
        found = self.canonical(user)
        if found is None:
            raise Invalid(
                "user must be 1 to 32 letters, digits and ASCII punctuation characters, without spaces (RFC 8265).",
                field="user",
            )
        _check_password(password)
        if name is not None:
            _check_line(name, NAME_LENGTH, "name")
        async with self._limits.sign_up(found, address) as attempt:
            if await self._store.password_hash(found) is not None:
                raise Conflict
            async with attempt.hashing():
                password_hash = await self._hasher.hash(password)
            await self._store.create(found, password_hash, name)
        return found

    async def sign_in(
        self, user: str, password: str, device: str | None = None, *, address: str | None = None
    ) -> Tokens:
        """Open a session for a device, of 1 to 64 characters, which gets a name of its own when it has none.

        ``address`` is the client's. Limits look at it and at the name before a password is hashed, see `SignInLimits`.
        Raises `Invalid`, `RateLimited`, and `Unauthenticated`, the same for an unknown user and a wrong password.
        """
        _check_password(password)
        if device is not None:
            _check_line(device, DEVICE_LENGTH, "device")
        found = self.canonical(user)
        async with self._limits.sign_in(found, address) as attempt:
            password_hash = None if found is None else await self._store.password_hash(found)
            async with attempt.hashing():
                right = await self._hasher.verify(password, password_hash)
            if found is None or not right:
                raise Unauthenticated("Wrong user name or password.")
        session = Session(id=self._new_id(), user=found, device=device or self._new_id(), generation=1)
        await self._store.open_session(session, self._session_idle)
        return self._issue(session, session.generation)

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a session; the refresh token shown is spent by it.

        Within `REPEAT_FOR` of its first use it gives the same successor again. Its reuse later, or at an unknown time
        after it (the store's clock was set back), means that two clients hold it, and ends the session. Raises
        `Unauthenticated`.
        """
        read = self._tokens.read_refresh(refresh_token)
        rotation = read and await self._store.rotate(*read, self._session_idle)
        if not read or not rotation:
            raise Unauthenticated
        session, generation = read
        if rotation.spent_for is not None and rotation.spent_for <= REPEAT_FOR:
            return self._issue(rotation.session, generation + 1)
        if generation < rotation.session.generation:
            _log.warning(
                "Session %s ends: a refresh token of it was used again, and not within %s of its first use.",
                session,
                REPEAT_FOR,
            )
            await self._end(rotation.session)
        raise Unauthenticated

    async def sign_out(self, session: str) -> None:
        """End a session, on this node at once, on others within 10 s. One that has ended already stays so."""
        found = await self._store.session(session)
        if found:
            await self._end(found)

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Whom an access token stands for; None without one, or when it is wrong, expired, or of an ended session.

        Whoever enters a socket in its list without awaiting in between misses no end of a session on this node. A
        session that another node ended may be believed for 10 s more: `admit` asks anew.
        """
        return await self._whom(credentials, anew=False)

    async def admit(self, credentials: Credentials) -> Principal | None:
        """As `authenticate`, by what the store says now: for a socket, which lives long, and is not asked again."""
        return await self._whom(credentials, anew=True)

    async def directory(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """The profiles of those of ``users`` (as `canonical` writes them) who have an account."""
        return await self._store.profiles(users)

    def canonical(self, name: str) -> UserId | None:
        """The user id that a name in a command means; None for a name that nobody can have."""
        return self._normalise(name)

    async def _end(self, session: Session) -> None:
        with anyio.CancelScope(shield=True):  # once it is ended in the store, its sockets have to follow
            await self._store.end_session(session.id)
            self._known.ended(session.id)
            await self._on_ended(session.user, session.id)

    async def _whom(self, credentials: Credentials, *, anew: bool) -> Principal | None:
        principal = self._tokens.read_access(credentials.token) if credentials.token else None
        if principal is None or principal.session is None:
            return None
        return principal if await self._is_open(principal.session, anew=anew) else None

    async def _is_open(self, session: str, *, anew: bool) -> bool:
        now = self._monotonic()
        known = self._known.is_open(session, now)
        if known is None or (known and anew):
            if await self._store.session(session):
                self._known.found_open(session, now)
            else:
                self._known.ended(session)
        return bool(self._known.is_open(session, now))

    def _issue(self, session: Session, generation: int) -> Tokens:
        access_token, expires_in = self._tokens.access(session)
        return Tokens(
            access_token=access_token,
            refresh_token=self._tokens.refresh(session.id, generation),
            expires_in=expires_in,
            user=session.user,
            device=session.device,
        )


def _check_password(password: str) -> None:
    _check(password, PASSWORD_LENGTH, "password", refused=("Cs",))  # what UTF-8 can't write can't be hashed


def _check_line(text: str, length: tuple[int, int], field: str) -> None:
    _check(text, length, field, refused=("Cc", "Cs"))


def _check(text: str, length: tuple[int, int], field: str, refused: tuple[str, ...]) -> None:
    if not length[0] <= len(text) <= length[1]:
        raise Invalid(f"{field} must have {length[0]} to {length[1]} characters.", field=field)
    if any(unicodedata.category(char) in refused for char in text):
        raise Invalid(f"{field} must not contain control characters or lone surrogates.", field=field)
