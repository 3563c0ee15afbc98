"""A node with the bundled accounts, with quick hashes and a clock that a test sets."""

from datetime import timedelta

import argon2
from attrs import Factory, define, field

from chatcore.accounts import Accounts, AccountStore
from chatcore_memory import MemoryAccounts
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username

SECRET = b"a secret of the tests, of 32 bytes or more"
PASSWORD = "correct horse"


class Clock:
    """A clock in seconds that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


class CountingHasher(Argon2Hasher):
    """Records the parameters of each hash that was verified."""

    def __init__(self) -> None:
        super().__init__(argon2.profiles.CHEAPEST)
        self.verified: list[argon2.Parameters] = []

    def _matches(self, password_hash: str, password: str) -> bool:
        self.verified.append(argon2.extract_parameters(password_hash))
        return super()._matches(password_hash, password)


@define
class Node:
    """One node of a deployment: its accounts, and the ended sessions that were reported to it."""

    clock: Clock = field(factory=Clock)
    store: AccountStore = Factory(lambda node: MemoryAccounts(node.clock), takes_self=True)
    secret: bytes = SECRET
    session_idle: timedelta = timedelta(days=30)
    hasher: CountingHasher = field(factory=CountingHasher)
    ended: list[tuple[str, str]] = field(factory=list)
    tokens: JwtTokens = field(init=False)
    accounts: Accounts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tokens = JwtTokens(self.secret, clock=self.clock)
        self.accounts = Accounts(
            self.store,
            self.hasher,
            self.tokens,
            canonical_username,
            on_ended=self.on_ended,
            session_idle=self.session_idle,
            monotonic=self.clock,
        )

    async def on_ended(self, user: str, session: str) -> None:
        self.ended.append((user, session))

    def another(self) -> "Node":
        """Return a second node of the same deployment."""
        return Node(clock=self.clock, store=self.store, secret=self.secret, session_idle=self.session_idle)
