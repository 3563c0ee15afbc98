"""The parts of a server, put together as its settings say. The only file that names stores and hashers."""

import secrets
from typing import assert_never

from attrs import frozen

from chatcore.accounts import Accounts, AccountStore
from chatcore.chat import Chat
from chatcore.ids import UserId
from chatcore.ports.store import Store
from chatcore_memory import MemoryAccounts, MemoryRegistry, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_sqlite import SqliteAccounts, SqliteStore

from .secret_file import MADE_OF, kept_secret
from .settings import Settings


@frozen
class Parts:
    """What a server is made of. Entering the chat opens the store, also for the accounts."""

    chat: Chat
    accounts: Accounts


def bootstrap(settings: Settings) -> Parts:
    """Raises `StoreError` when the data folder's secret can't be had."""
    store, accounts_store = _stores(settings)

    async def end(user: UserId, session: str) -> None:
        await chat.close_session(user, session)

    accounts = Accounts(
        accounts_store,
        Argon2Hasher(),
        JwtTokens(_secret(settings), lifetime_s=settings.access_token_s),
        canonical_username,
        on_ended=end,
    )
    chat = Chat(store, registry=MemoryRegistry(), directory=accounts.directory, canonical=accounts.canonical)
    return Parts(chat, accounts)


def _stores(settings: Settings) -> tuple[Store, AccountStore]:
    match settings.store:
        case "memory":
            return MemoryStore(), MemoryAccounts()
        case "sqlite":
            store = SqliteStore(settings.data_dir)
            return store, SqliteAccounts(store.database)
        case _:
            assert_never(settings.store)


def _secret(settings: Settings) -> bytes:
    if settings.secret is not None:
        return settings.secret
    return secrets.token_bytes(MADE_OF) if settings.store == "memory" else kept_secret(settings.data_dir)
