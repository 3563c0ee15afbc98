"""Accounts for tests that are not about passwords, with cheap hashes: a real hash takes 0.1 s of a core."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import argon2

from chatcore.accounts import AccountStore
from chatcore_mongo import MongoAccounts, MongoStore
from chatcore_sqlite import SqliteAccounts, SqliteDatabase

from .serve_client import PASSWORD

DATA = "chatcore-data"
"""The data folder of `chatcore serve`, relative to its working directory."""


async def make_accounts(folder: Path, users: Iterable[str]) -> None:
    """Create the data of a server that runs in ``folder``, with an account of password `PASSWORD` for each user."""
    async with SqliteDatabase(folder / DATA) as database:
        await create(SqliteAccounts(database), users)


async def make_mongo_accounts(url: str, users: Iterable[str]) -> None:
    """Create such accounts in the MongoDB database at ``url``."""
    async with MongoStore(url) as store:
        await create(MongoAccounts(store.database), users)


async def create(accounts: AccountStore, users: Iterable[str]) -> None:
    hashed = password_hash(argon2.profiles.CHEAPEST)
    for user in users:
        await accounts.create(user, hashed, None)


async def make_sign_ins_slow(folder: Path) -> None:
    """Give all accounts in ``folder`` a hash that takes a third of the default's time, which is more than sign-ins take
    to arrive. No server may use the folder meanwhile."""

    def update() -> None:
        hashed = password_hash(replace(argon2.profiles.RFC_9106_LOW_MEMORY, time_cost=1))
        with closing(sqlite3.connect(folder / DATA / "chatcore.sqlite3")) as database, database:
            database.execute("UPDATE accounts SET password_hash = ?", (hashed,))

    await asyncio.to_thread(update)


def password_hash(parameters: argon2.Parameters) -> str:
    return argon2.PasswordHasher.from_parameters(parameters).hash(PASSWORD)
