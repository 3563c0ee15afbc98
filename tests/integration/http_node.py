"""A node in the process of the test: all routes and Socket.IO, with real accounts and cheap hashes.

The stores are in memory unless others are given.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import argon2
from aiohttp import ClientSession
from attrs import define, field, frozen
from yarl import URL

from chatcore.accounts import Accounts, AccountStore
from chatcore.chat import Chat
from chatcore.commands.rate_limits import CommandLimits
from chatcore.ports.authenticator import Authenticator
from chatcore.ports.store import Store
from chatcore_http import Endpoint, Origins
from chatcore_memory import MemoryAccounts, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from tests.integration.http_hosts import Parts, present_host

PASSWORD = "correct horse"
SECRET = b"a secret of the tests, of 32 bytes or more"


@frozen
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Return status, code and field of the problem details."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        return self.status, self.json["code"], self.json.get("field")


@define
class HttpNode:
    """A node, and a client that sends paths unchanged."""

    store: Store
    accounts_store: AccountStore
    accounts: Accounts
    chat: Chat
    url: str
    """The place of the API and of Socket.IO."""
    client: ClientSession
    tokens: dict[str, str] = field(factory=dict)

    @property
    def origin(self) -> str:
        """The origin of the host's own pages."""
        return f"http://{URL(self.url).authority}"

    async def sign_in(self, *users: str) -> None:
        """Create accounts and access tokens for users."""
        for user in users:
            await self.accounts.sign_up(user, PASSWORD)
            self.tokens[user] = (await self.accounts.sign_in(user, PASSWORD)).access_token

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send ``body`` as JSON, or ``data`` unchanged. ``path`` is below the API prefix and sent unchanged."""
        given = dict(headers or {})
        if user is not None:
            given["Authorization"] = f"Bearer {self.tokens[user]}"
        if body is not None:
            data = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        return await self.send(method, f"/api/v1{path}", data, given)

    async def send(self, method: str, path: str, data: object, headers: Mapping[str, str]) -> Answer:
        url = URL(self.url + path, encoded=True)
        skipped = {"Content-Type"} if "Content-Type" not in headers else set[str]()
        async with self.client.request(
            method, url, data=data, headers=headers, skip_auto_headers=skipped, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.read())


@asynccontextmanager
async def http_node(
    *more: Endpoint,
    origins: str | Origins | None = None,
    authenticate: Authenticator | None = None,
    store: Store | None = None,
    accounts_store: AccountStore | None = None,
    canonical: Callable[[str], str | None] = canonical_username,
    limits: CommandLimits | None = None,
) -> AsyncGenerator[HttpNode]:
    """A node that listens on a free port, and serves ``more`` beside the endpoints of the server."""
    store, accounts_store = store or MemoryStore(), accounts_store or MemoryAccounts()

    async def end(user: str, session: str) -> None:
        await chat.close_session(user, session)

    hasher = Argon2Hasher(argon2.profiles.CHEAPEST)
    accounts = Accounts(accounts_store, hasher, JwtTokens(SECRET), canonical, on_ended=end)
    chat = Chat(
        store, directory=accounts.directory, people=accounts.people, canonical=accounts.canonical, limits=limits
    )
    admitted = origins if isinstance(origins, Origins) else Origins.parse(origins)
    parts = Parts(chat, accounts, authenticate or accounts.authenticate, admitted, more)
    async with present_host()(parts) as url, ClientSession() as client:
        yield HttpNode(store, accounts_store, accounts, chat, url, client)
