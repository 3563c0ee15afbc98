"""Accounts and the socket registry in MongoDB pass their contract suites."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from pymongo import AsyncMongoClient

from chatcore.testing.account_store import AccountStoreContract, PassTime
from chatcore.testing.registry import SocketRegistryContract
from chatcore_mongo import MongoAccounts, MongoDatabase, MongoRegistry

from .mongo_contracts import RecordedSuite
from .mongo_database import empty
from .mongo_plans import Commands

TIMES = {"sessions": ("ends_at", "spent_at"), "sockets": ("ends_at", "kept_until", "ended")}


class TimedFixtures(RecordedSuite):
    """The time of the server can't be changed, so stored times are moved back instead."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def url(self, mongo_url: str) -> str:
        empty(mongo_url)
        return mongo_url

    @pytest.fixture
    async def database(self, url: str, mongo_commands: Commands) -> AsyncGenerator[MongoDatabase]:
        async with MongoDatabase(url, event_listeners=[mongo_commands]) as database:
            yield database

    @pytest.fixture
    def pass_time(self, url: str) -> PassTime:
        async def pass_time(time: timedelta) -> None:
            async with AsyncMongoClient[dict[str, object]](url) as client:
                database = client.get_default_database()
                for collection, names in TIMES.items():
                    older = {name: _older(f"${name}", time) for name in names}
                    await database[collection].update_many({}, [{"$set": older}])

        return pass_time


def _older(name: str, time: timedelta) -> dict[str, object]:
    """Return a time, or each of a list of times, moved back."""
    milliseconds = time / timedelta(milliseconds=1)
    each = {"$map": {"input": name, "in": {"$subtract": ["$$this", milliseconds]}}}
    return {"$cond": [{"$isArray": name}, each, {"$subtract": [name, milliseconds]}]}


class TestMongoAccounts(TimedFixtures, AccountStoreContract):
    @pytest.fixture
    def store(self, database: MongoDatabase) -> MongoAccounts:
        return MongoAccounts(database)


class TestMongoRegistry(TimedFixtures, SocketRegistryContract):
    @pytest.fixture
    async def registry(self, database: MongoDatabase) -> MongoRegistry:
        return MongoRegistry(database)
