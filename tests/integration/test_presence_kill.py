"""Presence over two servers on one MongoDB, of which one is killed."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .serving import TIMEOUT_S, Server, serving

pytestmark = pytest.mark.anyio

SECRET = "a secret of the tests, of 32 bytes or more"
KILLED_S, OFFLINE_S = 40, 12
"""The contract: seconds in which users are offline after the kill of their server, or the end of their last socket."""
USERS = ("bob", "carol", "dave")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def post(http: aiohttp.ClientSession, url: str, body: Mapping[str, Any], token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.post(url, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession, server: Server, token: str
) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """A plain websocket that has got its `ready`."""
    async with http.ws_connect(f"{server.url}/ws") as socket:
        await socket.send_json({"event": "connect", "data": {"token": token}})
        await next_of(socket, "ready")
        yield socket


async def next_of(socket: aiohttp.ClientWebSocketResponse, event: str) -> Any:
    """Return the next push of an event, or the next answer for `answer`."""
    while True:
        frame = json.loads(await socket.receive_str(timeout=TIMEOUT_S))
        if event == "answer" and "answer" in frame:
            return frame["answer"]
        if frame.get("event") == event:
            return frame["data"]


async def states(socket: aiohttp.ClientWebSocketResponse, seconds: float, wanted: Mapping[str, str]) -> None:
    """Wait until each user of ``wanted`` was pushed with its state. Raises TimeoutError after some seconds."""
    shown: dict[str, str] = {}
    async with asyncio.timeout(seconds):
        while any(shown.get(user) != state for user, state in wanted.items()):
            push = await next_of(socket, "presence")
            shown[push["user"]] = push["state"]


@pytest.mark.timeout(240)
async def test_users_of_a_killed_server_are_offline_in_time_and_online_on_another(
    mongo_url: str, tmp_path: Path
) -> None:
    environment = {"CHATCORE_STORE": mongo_url, "CHATCORE_SECRET": SECRET}
    async with AsyncExitStack() as entered:
        http = await entered.enter_async_context(aiohttp.ClientSession())
        kept = await entered.enter_async_context(serving(tmp_path, environment=environment))
        killed = await entered.enter_async_context(serving(tmp_path, environment=environment))
        api = f"{kept.url}/api/v1"
        tokens: dict[str, str] = {}
        for user in ("alice", *USERS):
            account = {"user": user, "password": "a long sentence"}
            await post(http, f"{api}/accounts", account)
            tokens[user] = (await post(http, f"{api}/sessions", account))["access_token"]
        room = {"kind": "group", "title": "Tea", "members": [*USERS], "key": "a key of the tests"}
        await post(http, f"{api}/rooms", room, tokens["alice"])
        alice = await entered.enter_async_context(connected(http, kept, tokens["alice"]))
        await alice.send_json({"id": 1, "event": "presence", "data": {"users": [*USERS]}})
        answer = await next_of(alice, "answer")
        assert answer["presence"] == {user: {"state": "offline"} for user in USERS}
        for user in USERS:
            await entered.enter_async_context(connected(http, killed, tokens[user]))
        async with connected(http, kept, tokens["dave"]):
            await states(alice, TIMEOUT_S, dict.fromkeys(USERS, "online"))
            await killed.kill()
            await states(alice, KILLED_S, dict.fromkeys(("bob", "carol"), "offline"))
            async with connected(http, kept, tokens["bob"]):
                await states(alice, OFFLINE_S, {"bob": "online"})
        await states(alice, OFFLINE_S, {"bob": "offline", "dave": "offline"})
        assert not [line for line in kept.events if line["level"] in ("error", "critical")]
