"""A user of a running server, over HTTP."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from attrs import frozen

from tests.integration.serving import Server

PASSWORD = "correct horse"


@frozen
class User:
    """A user who is signed in at a server."""

    http: ClientSession
    api: str
    name: str
    token: str

    @property
    def bearer(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def send(self, to: str, key: str, body: str = "x") -> int:
        """Send a message. Returns its seq. Raises AssertionError if the message is not acknowledged."""
        message = {"key": key, "body": body}
        async with self.http.post(f"{self.api}/users/{to}/messages", json=message, headers=self.bearer) as answer:
            assert answer.status in (200, 201), await answer.text()
            seq: int = (await answer.json())["seq"]
            return seq

    async def entries(self, peer: str) -> list[Any]:
        """Return all entries of the private room with ``peer``."""
        page = await self._page(peer, "anchor=oldest&after=200")
        found: list[Any] = page["entries"]
        while page["has_after"]:
            page = await self._page(peer, f"anchor={found[-1]['seq']}&after=199")
            found += page["entries"][1:]
        return found

    async def _page(self, peer: str, query: str) -> Any:
        url = f"{self.api}/users/{peer}/entries?{query}"
        async with self.http.get(url, headers=self.bearer) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def sign_in(http: ClientSession, url: str, name: str) -> User:
    """Sign a user in at the server on ``url``, after a sign-up if needed."""
    api = f"{url}/api/v1"
    account = {"user": name, "password": PASSWORD}
    async with http.post(f"{api}/accounts", json=account):
        pass
    async with http.post(f"{api}/sessions", json=account) as answer:
        return User(http, api, name, (await answer.json())["access_token"])


@asynccontextmanager
async def signed_in(server: Server, name: str) -> AsyncGenerator[User]:
    async with ClientSession() as http:
        yield await sign_in(http, server.url, name)
