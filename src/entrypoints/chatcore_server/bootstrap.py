"""The parts of a server, put together as its settings say. The only file that names stores and hashers."""

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager

from attrs import field, frozen

from chatcore.accounts import Accounts, AccountStore
from chatcore.chat import Chat
from chatcore.commands.limits import CommandLimits, SendRates
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

from .secret_file import MADE_OF, kept_secret
from .settings import PREFIX, Settings, SettingsError, StoreSettings, named
from .values import MONGODB

GUESSED_NAME = Rate(1, 1)
"""Attempts at a name above `Settings.limit_sign_in_name`."""


@frozen
class Parts:
    """What a server is made of. Entering the chat opens the store, also for the accounts."""

    chat: Chat
    accounts: Accounts
    limiter: RateLimiter = field(factory=Unlimited)


def bootstrap(settings: Settings) -> Parts:
    """Raises `StoreError` when the data folder's secret can't be had, and `SettingsError` when one must be given."""
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
        canonical=accounts.canonical,
        rules=rules,
        limits=_command_limits(settings, limiter),
    )
    return Parts(chat, accounts, limiter)


def _limiter(settings: Settings) -> RateLimiter:
    if settings.limits == "off":
        return Unlimited()
    return MemoryRateLimiter(
        {
            "sign_in": settings.limit_sign_in,
            "sign_in_address": settings.limit_sign_in_address,
            "sign_in_name": settings.limit_sign_in_name,
            "sign_in_slow": GUESSED_NAME,
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
            with _its_extra():
                from chatcore_mongo import MongoAccounts, MongoRegistry, MongoStore
            shared = MongoStore(address)
            return shared, MongoAccounts(shared.database), MongoRegistry(shared.database)


async def migrate(settings: StoreSettings, announce: Callable[[int, int, str], None], *, dry_run: bool) -> None:
    """Bring the store's database to this version; ``announce`` hears each step's number, of how many, and what it does.

    Raises `SettingsError` for a store without a database, and `StoreError`.
    """
    match settings.store:
        case "memory":
            raise SettingsError(f"{named('store')} is memory: there is nothing to migrate.")
        case "sqlite":
            await SqliteStore(settings.data_dir).database.migrate(announce, dry_run=dry_run)
        case address:
            with _its_extra():
                from chatcore_mongo import Database
            await Database(address).migrate(announce, dry_run=dry_run)


@contextmanager
def _its_extra() -> Generator[None]:
    """An adapter without its extra is a refusal to start, which says what to install."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise StoreError(f"{missing}.") from missing


def _secret(settings: Settings) -> bytes:
    if settings.secret is not None:
        return settings.secret
    if settings.store.startswith(MONGODB):
        raise SettingsError(
            f"{PREFIX}SECRET must be set where servers share a store: each would make a secret of its own, and refuse "
            "the others' tokens."
        )
    return secrets.token_bytes(MADE_OF) if settings.store == "memory" else kept_secret(settings.data_dir)
