"""A node with limited accounts and hashes in virtual time, for tests with many sign-ins."""

from collections.abc import Mapping

import anyio
from attrs import Factory, define, field

from chatcore.accounts import Accounts, PasswordHasher
from chatcore.errors import RateLimited, Unauthenticated
from chatcore.ports.rate_limiter import LimitName, Rate
from chatcore_limits import MemoryRateLimiter
from chatcore_memory import MemoryAccounts
from chatcore_security import JwtTokens, canonical_username

from .accounts_node import PASSWORD, SECRET

WRONG = "wrong password"
HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"
RATES: Mapping[LimitName, Rate] = {
    "sign_in": Rate(10, 300),
    "sign_in_address": Rate(100, 300),
    "sign_in_name": Rate(100, 300),
    "sign_in_slow": Rate(1, 1),
    "sign_up": Rate(300, 3600),
}


class SlowHasher(PasswordHasher):
    """Computes two trivial hashes at a time; each takes ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.at_once = 2
        self.seconds = seconds
        self.hashes = self.running = self.most_running = 0

    async def hash(self, password: str) -> str:
        self.hashes += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.running -= 1
        return f"hash of {password}"

    async def verify(self, password: str, password_hash: str | None) -> bool:
        return await self.hash(password) == password_hash


def _accounts(node: "SignInNode") -> Accounts:
    return Accounts(
        node.store,
        node.hasher,
        JwtTokens(SECRET),
        canonical_username,
        limiter=MemoryRateLimiter(node.rates, clock=anyio.current_time),
        monotonic=anyio.current_time,
    )


@define
class SignInNode:
    """A node with accounts in memory. Every account has the password `PASSWORD`."""

    rates: Mapping[LimitName, Rate] = RATES
    hasher: SlowHasher = Factory(lambda: SlowHasher(0.2))
    store: MemoryAccounts = field(factory=MemoryAccounts)
    accounts: Accounts = Factory(_accounts, takes_self=True)

    async def add(self, *users: str) -> None:
        """Store accounts without a sign-up on this node."""
        for user in users:
            await self.store.create(user, f"hash of {PASSWORD}", None)

    async def sign_in(self, user: str, address: str, password: str = PASSWORD) -> str:
        """Try once. Returns ``in``, ``wrong`` or ``limited``."""
        try:
            await self.accounts.sign_in(user, password, address=address)
        except Unauthenticated:
            return "wrong"
        except RateLimited:
            return "limited"
        return "in"

    async def patient_sign_in(self, user: str, address: str, password: str = PASSWORD) -> float:
        """Try until the sign-in succeeds, and obey Retry-After. Returns the seconds that it took."""
        began = anyio.current_time()
        while True:
            try:
                await self.accounts.sign_in(user, password, address=address)
            except RateLimited as error:
                await anyio.sleep(max(1, -(-(error.retry_after_ms or 0) // 1000)))
            else:
                return anyio.current_time() - began
