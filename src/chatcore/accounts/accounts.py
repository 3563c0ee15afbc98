"""Sign-up, sign-in, sessions, and the users of tokens."""

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
from .ports import AccountStore, Normaliser, PasswordHasher, Session, TokenIssuer
from .session_cache import SessionCache
from .sign_in_limits import SignInLimits

REPEAT_FOR = timedelta(seconds=5)
"""Time after its first use in which a spent refresh token gives the same successor: the first answer may be lost."""

PASSWORD_LENGTH = (8, 1024)
NAME_LENGTH = (1, 100)
DEVICE_LENGTH = (1, 64)

_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Tokens:
    """The answer to a sign-in or a refresh.

    Attributes:
        expires_in: seconds until the access token expires.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    user: UserId
    device: str


async def _do_nothing(user: UserId, session: str) -> None:
    pass


class Accounts:
    """The accounts of one deployment, as one of its nodes serves them.

    `authenticate` is an `Authenticator`, `directory` a `UserDirectory`. A session ends by `sign_out`, by reuse of a
    spent refresh token, and after ``session_idle`` without a refresh. Every method raises `Unavailable` if the store
    cannot be reached.

    Args:
        store: keeps the accounts and sessions.
        hasher: hashes passwords.
        tokens: makes and reads tokens.
        normalise: returns the user id of a user name.
        on_ended: is called with user and session on the node where a sign-out or a reused token ends the session. If
            two calls end a session at the same time, it may be called twice. Its errors reach the caller.
        limiter: limits sign-ins and sign-ups; without a limiter only the queue of hashes is bounded.
        session_idle: how long a session lives without a refresh.
        monotonic: returns monotonic seconds.
        new_id: returns a new id for a session or a device.
    """

    def __init__(
        self,
        store: AccountStore,
        hasher: PasswordHasher,
        tokens: TokenIssuer,
        normalise: Normaliser,
        *,
        on_ended: Callable[[UserId, str], Awaitable[None]] = _do_nothing,
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
        self._session_cache = SessionCache()
        self._limits = SignInLimits(limiter or Unlimited(), hasher.at_once, monotonic=monotonic)

    @property
    def session_idle(self) -> timedelta:
        """How long a session lives without a refresh."""
        return self._session_idle

    async def sign_up(self, user: str, password: str, name: str | None = None, *, address: str | None = None) -> UserId:
        """Create an account, and return its user id. It opens no session.

        Args:
            user: the user name; `canonical` returns its user id.
            password: 8 to 1024 characters.
            name: the name to show, 1 to 100 characters.
            address: the client's address, for the limits.

        Raises:
            Invalid: an argument is out of its bounds.
            Conflict: the user name is taken.
            RateLimited: a limit is reached.
        """
        user_id = self.canonical(user)
        if user_id is None:
            raise Invalid(
                "user must be 1 to 32 letters, digits and ASCII punctuation characters, without spaces (RFC 8265).",
                field="user",
            )
        _check_password(password)
        if name is not None:
            _check_line(name, NAME_LENGTH, "name")
        async with self._limits.sign_up(user_id, address) as attempt:
            if await self._store.password_hash(user_id) is not None:
                raise Conflict
            async with attempt.hashing():
                password_hash = await self._hasher.hash(password)
            await self._store.create(user_id, password_hash, name)
        return user_id

    async def sign_in(
        self, user: str, password: str, device: str | None = None, *, address: str | None = None
    ) -> Tokens:
        """Open a session for a device.

        `SignInLimits` apply to the address and the user name before a password is hashed.

        Args:
            user: the user name, in any spelling.
            password: 8 to 1024 characters.
            device: the device's name, 1 to 64 characters; None for a new one.
            address: the client's address, for the limits.

        Raises:
            Invalid: an argument is out of its bounds.
            RateLimited: a limit is reached.
            Unauthenticated: the user is unknown or the password is wrong; the error is the same.
        """
        _check_password(password)
        if device is not None:
            _check_line(device, DEVICE_LENGTH, "device")
        user_id = self.canonical(user)
        async with self._limits.sign_in(user_id, address) as attempt:
            password_hash = None if user_id is None else await self._store.password_hash(user_id)
            async with attempt.hashing():
                is_right = await self._hasher.verify(password, password_hash)
            if user_id is None or not is_right:
                raise Unauthenticated("Wrong user name or password.")
        session = Session(id=self._new_id(), user=user_id, device=device or self._new_id(), generation=1)
        await self._store.open_session(session, self._session_idle)
        return self._issue(session, session.generation)

    async def refresh(self, refresh_token: str, *, newest: bool = False) -> Tokens:
        """Return new tokens of a session, and spend the refresh token.

        A spent token gives the same successor again within `REPEAT_FOR` of its first use. A later use means that two
        clients have the token, and ends the session. So does a use at an unknown time after the first one, when the
        store's clock was set back.

        Args:
            refresh_token: the token to spend.
            newest: whether a token that was spent within `REPEAT_FOR` gives the session's newest refresh token in place
                of its own successor, which may be spent too. All tabs of a browser have one cookie: a late answer must
                not set an older one.

        Raises:
            Unauthenticated: the token was not issued here, its session has ended, or it was used again too late.
        """
        claims = self._tokens.read_refresh(refresh_token)
        rotation = claims and await self._store.rotate(*claims, self._session_idle)
        if not claims or not rotation:
            raise Unauthenticated
        session, generation = claims
        if rotation.spent_for is not None and rotation.spent_for <= REPEAT_FOR:
            return self._issue(rotation.session, rotation.session.generation if newest else generation + 1)
        if generation < rotation.session.generation:
            _log.warning(
                "spent refresh token used again, session ended: session=%s. Two clients may have the token.", session
            )
            await self._end(rotation.session)
        raise Unauthenticated

    def session_of(self, refresh_token: str) -> str | None:
        """Return the session of a refresh token, which may have ended; None if the token was not issued here."""
        claims = self._tokens.read_refresh(refresh_token)
        return claims[0] if claims else None

    async def sign_out(self, session: str) -> None:
        """End a session: on this node at once, on others within 10 s. A session that has ended is no error."""
        open_session = await self._store.session(session)
        if open_session:
            await self._end(open_session)

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user of an access token.

        A session that another node ended may count as open for 10 s more; `authenticate_socket` asks the store. A
        session that this node ends is refused at once. So a caller that adds a socket after this call, without an await
        in between, misses no end of a session.

        Returns:
            None without a token, or if the token is not valid, has expired, or its session has ended.
        """
        return await self._principal(credentials, ask_store=False)

    async def authenticate_socket(self, credentials: Credentials) -> Principal | None:
        """Return the user of an access token as `authenticate` does, but ask the store: a socket is checked once."""
        return await self._principal(credentials, ask_store=True)

    async def directory(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """Return the profiles of the ``users`` who have an account. ``users`` are ids as `canonical` returns them."""
        return await self._store.profiles(users)

    async def people(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        """Return users whose id or name begins with ``prefix``: a `UserSearch`."""
        return await self._store.find(prefix, limit)

    def canonical(self, name: str) -> UserId | None:
        """Return the user id of a user name in a command; None if no account can have that name."""
        return self._normalise(name)

    async def _end(self, session: Session) -> None:
        with anyio.CancelScope(shield=True):  # when the session has ended in the store, its sockets must end too
            await self._store.end_session(session.id)
            self._session_cache.add_ended(session.id)
            await self._on_ended(session.user, session.id)

    async def _principal(self, credentials: Credentials, *, ask_store: bool) -> Principal | None:
        principal = self._tokens.read_access(credentials.token) if credentials.token else None
        if principal is None or principal.session is None:
            return None
        return principal if await self._is_open(principal.session, ask_store=ask_store) else None

    async def _is_open(self, session: str, *, ask_store: bool) -> bool:
        now = self._monotonic()
        is_open = self._session_cache.is_open(session, now)
        if is_open is None or (is_open and ask_store):
            if await self._store.session(session):
                self._session_cache.add_open(session, now)
            else:
                self._session_cache.add_ended(session)
        return bool(self._session_cache.is_open(session, now))  # the session may have ended while the store was asked

    def _issue(self, session: Session, generation: int) -> Tokens:
        access_token, expires_in = self._tokens.issue_access(session)
        return Tokens(
            access_token=access_token,
            refresh_token=self._tokens.issue_refresh(session.id, generation),
            expires_in=expires_in,
            user=session.user,
            device=session.device,
        )


def _check_password(password: str) -> None:
    _check(password, PASSWORD_LENGTH, "password", refused=("Cs",))  # a lone surrogate has no UTF-8 to hash


def _check_line(text: str, length: tuple[int, int], field: str) -> None:
    _check(text, length, field, refused=("Cc", "Cs"))


def _check(text: str, length: tuple[int, int], field: str, refused: tuple[str, ...]) -> None:
    if not length[0] <= len(text) <= length[1]:
        raise Invalid(f"{field} must have {length[0]} to {length[1]} characters.", field=field)
    if any(unicodedata.category(char) in refused for char in text):
        raise Invalid(f"{field} must not contain control characters or lone surrogates.", field=field)
