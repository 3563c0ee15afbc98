"""The components of a server, made from its settings. No other file names stores and hashers."""

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager

from attrs import field, frozen

from chatcore.accounts import Accounts, AccountStore
from chatcore.chat import Chat
from chatcore.commands.rate_limits import CommandLimits, SendRates
from chatcore.domain.decider import Rules
from chatcore.errors import StoreError
from chatcore.ids import UserId
from chatcore.ports.rate_limiter import Rate, RateLimiter, Unlimited
from chatcore.ports.registry import SocketRegistry
from chatcore.ports.store import Store
from chatcore_limits import MemoryRateLimiter
from chatcore_memory import MemoryAccounts, MemoryRegistry, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_sqlite import SqliteAccounts, SqliteStore

from .errors import SettingsError
from .secret_file import RANDOM_BYTES, load_or_create_secret
from .settings import Settings, StoreSettings, named

SLOW_SIGN_IN = Rate(1, 1)
"""The rate of sign-ins of a name above `Settings.limit_sign_in_name`, from addresses that never signed in with it."""


@frozen
class Components:
    """The components of a server. Entering the chat opens the store, also for the accounts."""

    chat: Chat
    accounts: Accounts
    limiter: RateLimiter = field(factory=Unlimited)


def bootstrap(settings: Settings) -> Components:
    """Return the components of a server. Nothing is opened, except the file with the secret.

    Raises:
        StoreError: the data folder's secret cannot be read or created.
        SettingsError: settings do not go together.
    """
    settings.check()
    secret = _secret(settings)
    store, accounts_store, registry = _stores(settings)
    limiter = _limiter(settings)

    async def end(user: UserId, session: str) -> None:
        await chat.close_session(user, session)

    accounts = Accounts(
        accounts_store,
        Argon2Hasher(),
        JwtTokens(secret, lifetime_s=settings.access_token_s),
        canonical_username,
        on_ended=end,
        limiter=limiter,
    )
    rules = Rules(members_max=settings.room_members_max)
    chat = Chat(
        store,
        registry=registry,
        directory=accounts.directory,
        people=accounts.people,
        canonical=accounts.canonical,
        rules=rules,
        limits=_command_limits(settings, limiter),
        presence=settings.presence == "on",
    )
    return Components(chat, accounts, limiter)


def _limiter(settings: Settings) -> RateLimiter:
    if settings.limits == "off":
        return Unlimited()
    return MemoryRateLimiter(
        {
            "sign_in": settings.limit_sign_in,
            "sign_in_address": settings.limit_sign_in_address,
            "sign_in_name": settings.limit_sign_in_name,
            "sign_in_slow": SLOW_SIGN_IN,
            "sign_up": settings.limit_sign_up,
            "create": settings.limit_create,
            "invite": settings.limit_invite,
            "connect": settings.limit_connect,
        }
    )


def _command_limits(settings: Settings, limiter: RateLimiter) -> CommandLimits | None:
    if settings.limits == "off":
        return None
    return CommandLimits(SendRates(user=settings.limit_send, room=settings.limit_send_room), limiter)


def _stores(settings: Settings) -> tuple[Store, AccountStore, SocketRegistry]:
    match settings.store:
        case "memory":
            return MemoryStore(), MemoryAccounts(), MemoryRegistry()
        case "sqlite":
            sqlite = SqliteStore(settings.data_dir)
            return sqlite, SqliteAccounts(sqlite.database), MemoryRegistry()
        case address:
            with _missing_extra_as_store_error():
                from chatcore_mongo import MongoAccounts, MongoRegistry, MongoStore
            mongo = MongoStore(address)
            return mongo, MongoAccounts(mongo.database), MongoRegistry(mongo.database)


async def migrate(settings: StoreSettings, announce: Callable[[int, int, str], None], *, dry_run: bool) -> None:
    """Bring the store's database to this version.

    Args:
        settings: the settings of the store.
        announce: is called before each step with its number, the number of steps, and what the step does.
        dry_run: whether only to announce the steps.

    Raises:
        SettingsError: the store has no database.
        StoreError: the migration failed.
    """
    match settings.store:
        case "memory":
            raise SettingsError(f"{named('store')} is memory: there is nothing to migrate.")
        case "sqlite":
            await SqliteStore(settings.data_dir).database.migrate(announce, dry_run=dry_run)
        case address:
            with _missing_extra_as_store_error():
                from chatcore_mongo import MongoDatabase
            await MongoDatabase(address).migrate(announce, dry_run=dry_run)


@contextmanager
def _missing_extra_as_store_error() -> Generator[None]:
    """Turn the import error of a store without its extra into a `StoreError`, which says what to install."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise StoreError(f"{missing}.") from missing


def _secret(settings: Settings) -> bytes:
    if settings.secret is not None:
        return settings.secret
    return secrets.token_bytes(RANDOM_BYTES) if settings.store == "memory" else load_or_create_secret(settings.data_dir)
