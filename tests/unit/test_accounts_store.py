"""The contract suite of accounts on the memory store."""

from datetime import timedelta

import pytest

from chatcore.accounts import AccountStore, Session
from chatcore.testing.account_store import AccountStoreContract, PassTime
from chatcore_memory import MemoryAccounts

from .accounts_node import Clock


class TestMemoryAccounts(AccountStoreContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, clock: Clock) -> AccountStore:
        return MemoryAccounts(clock)

    @pytest.fixture
    def pass_time(self, clock: Clock) -> PassTime:
        async def pass_time(time: timedelta) -> None:
            clock.tick(time.total_seconds())

        return pass_time


@pytest.mark.anyio
async def test_expired_sessions_take_no_memory_while_older_sessions_continue() -> None:
    clock = Clock()
    store = MemoryAccounts(clock)
    lifetime = timedelta(seconds=10)
    for number in range(1000):
        await store.open_session(Session(id=str(number), user="bob", device="phone", generation=1), lifetime)
        await store.rotate("0", number + 1, lifetime)
        clock.tick(1)
    assert len(store._sessions) == 11
