"""Accounts in a SQLite file: the contract suites, restarts, and secrets that the file must not hold."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import argon2
import pytest

from chatcore.accounts import Accounts, AccountStore, Session
from chatcore.errors import Conflict, Unauthenticated, Unavailable
from chatcore.ports.authenticator import Credentials
from chatcore.ports.user_directory import Profile
from chatcore.testing.account_store import AccountStoreContract, PassTime
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_sqlite import SqliteAccounts, SqliteDatabase, SqliteStore

SECRET = b"a secret of the tests, of 32 bytes or more"
PASSWORD = "planted-password"
DAY = timedelta(days=1)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def accounts_in(database: SqliteDatabase) -> Accounts:
    hasher = Argon2Hasher(argon2.profiles.CHEAPEST)
    return Accounts(SqliteAccounts(database), hasher, JwtTokens(SECRET), canonical_username)


class TestSqliteAccounts(AccountStoreContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    async def store(self, tmp_path: Path, clock: Clock) -> AsyncGenerator[AccountStore, None]:
        async with SqliteDatabase(tmp_path) as database:
            yield SqliteAccounts(database, clock)

    @pytest.fixture
    def pass_time(self, clock: Clock) -> PassTime:
        async def pass_time(time: timedelta) -> None:
            clock.now += time.total_seconds()

        return pass_time


@pytest.mark.anyio
async def test_accounts_and_refreshable_sessions_survive_restart(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        await accounts.sign_up("bob", PASSWORD, "Bob")
        first = await accounts.sign_in("bob", PASSWORD, "phone")
        second = await accounts.refresh(first.refresh_token)
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        assert await accounts.directory(["bob"]) == {"bob": Profile(name="Bob")}
        with pytest.raises(Conflict):
            await accounts.sign_up("bob", PASSWORD)
        assert await accounts.authenticate(Credentials(token=second.access_token))
        assert (await accounts.refresh(first.refresh_token)).refresh_token == second.refresh_token
        third = await accounts.refresh(second.refresh_token)
        assert (third.user, third.device) == ("bob", "phone")


@pytest.mark.anyio
async def test_ended_session_stays_ended_after_restart(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        await accounts.sign_up("bob", PASSWORD)
        tokens = await accounts.sign_in("bob", PASSWORD)
        principal = await accounts.authenticate(Credentials(token=tokens.access_token))
        assert principal
        assert principal.session
        await accounts.sign_out(principal.session)
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        assert await accounts.authenticate(Credentials(token=tokens.access_token)) is None
        with pytest.raises(Unauthenticated):
            await accounts.refresh(tokens.refresh_token)


@pytest.mark.anyio
async def test_files_hold_neither_password_nor_token(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        await accounts.sign_up("planted-user", PASSWORD)
        tokens = [await accounts.sign_in("planted-user", PASSWORD)]
        for _ in range(3):
            tokens.append(await accounts.refresh(tokens[-1].refresh_token))
        while_open = bytes_in(tmp_path)
    for held in (while_open, bytes_in(tmp_path)):
        assert b"planted-user" in held
        assert b"$argon2id$" in held
        for secret in (PASSWORD, *(text for each in tokens for text in secret_parts(each.refresh_token))):
            assert secret.encode() not in held
        for each in tokens:
            assert each.access_token.rpartition(".")[2].encode() not in held
        assert SECRET not in held


@pytest.mark.anyio
async def test_accounts_are_in_same_file_as_rooms(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path) as store:
        await accounts_in(store.database).sign_up("bob", PASSWORD)
    async with SqliteStore(tmp_path) as store:
        assert await accounts_in(store.database).directory(["bob"]) == {"bob": Profile()}


@pytest.mark.anyio
async def test_expired_sessions_are_removed_from_file(tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteDatabase(tmp_path) as database:
        store = SqliteAccounts(database, clock)
        for number in range(5):
            await store.open_session(Session(id=str(number), user="bob", device="phone", generation=1), DAY)
        clock.now += DAY.total_seconds()
        await store.open_session(Session(id="last", user="bob", device="phone", generation=1), DAY)
        rows = await database.read(lambda connection: connection.execute("SELECT id FROM sessions").fetchall())
    assert rows == [("last",)]


@pytest.mark.anyio
async def test_session_ends_to_the_millisecond_with_its_lifetime(tmp_path: Path) -> None:
    clock = Clock()
    async with SqliteDatabase(tmp_path) as database:
        store = SqliteAccounts(database, clock)
        await store.open_session(Session(id="s1", user="bob", device="phone", generation=1), DAY)
        clock.now += DAY.total_seconds() - 0.001
        assert await store.session("s1")
        clock.now += 0.001
        assert await store.session("s1") is None
        assert await store.rotate("s1", 1, DAY) is None


@pytest.mark.anyio
async def test_session_refreshed_for_years_does_not_grow(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path) as database:
        store = SqliteAccounts(database, Clock())
        await store.open_session(Session(id="s1", user="bob", device="phone", generation=1), DAY)
        for generation in range(1, 20):
            await store.rotate("s1", generation, DAY)
        query = "SELECT json_array_length(spent_at) FROM sessions"
        assert await database.read(lambda connection: connection.execute(query).fetchone()) == (16,)


@pytest.mark.anyio
async def test_closed_database_is_unavailable(tmp_path: Path) -> None:
    async with SqliteDatabase(tmp_path) as database:
        accounts = accounts_in(database)
        await accounts.sign_up("bob", PASSWORD)
        tokens = await accounts.sign_in("bob", PASSWORD)
    with pytest.raises(Unavailable):
        await accounts.authenticate(Credentials(token=tokens.access_token))
    for call in (accounts.refresh(tokens.refresh_token), accounts.sign_in("bob", PASSWORD), accounts.sign_out("s")):
        with pytest.raises(Unavailable):
            await call


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def secret_parts(refresh_token: str) -> list[str]:
    return [refresh_token, refresh_token.rpartition(".")[2]]
