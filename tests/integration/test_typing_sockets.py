"""Typing over both websockets, on a server that stores in SQLite, and over HTTP, which has no route for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from attrs import frozen

from chatcore.live.typing import INTERVAL_S, SOCKET_ROOMS_MAX, TYPING_S
from tests.integration.clients import RawClient, raw_clients
from tests.integration.plain_client import PlainClient, plain_clients
from tests.integration.serve_client import User, signed_in
from tests.integration.serving import serving
from tests.integration.socket_clients import WIRES

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"
SLACK_S = 2
"""Seconds that a loaded machine may add."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@frozen
class Talk:
    """Alice with a client of each wire, Bob with one of Socket.IO, and their room."""

    alice: User
    bob: User
    clients: dict[str, RawClient | PlainClient]
    bobs: RawClient

    def shown(self, wire: str) -> list[list[str]]:
        """Return who was pushed to Alice's client as typing, push by push."""
        return [body["users"] for body in self.clients[wire].bodies_of("typing")]

    async def until(self, *shown: list[str]) -> None:
        """Return once both clients of Alice were pushed this, and no more."""
        for wire, client in self.clients.items():
            await client.until(lambda client: len(client.bodies_of("typing")) >= len(shown))
            assert self.shown(wire) == list(shown)


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncGenerator[Talk]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(tmp_path, "--store", "sqlite"))
        alice, bob = [await stack.enter_async_context(signed_in(server, name)) for name in ("alice", "bob")]
        await bob.send("alice", "first")
        socketio = await stack.enter_async_context(raw_clients(f"{server.url}/socket.io/"))
        websocket = await stack.enter_async_context(plain_clients(f"{server.url}/ws"))
        clients: dict[str, RawClient | PlainClient] = {
            "socketio": await (await socketio.open()).connect(alice.token),
            "websocket": await websocket.connect(alice.token),
        }
        assert clients.keys() == set(WIRES)
        yield Talk(alice, bob, clients, await (await socketio.open()).connect(bob.token))


async def test_typing_is_shown_over_every_wire_and_ends_by_itself(talk: Talk) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await talk.bobs.call("typing", {"room": ROOM, "on": True}) == {"ok": True}
    await talk.until(["bob"])
    await talk.until(["bob"], [])
    assert TYPING_S - 0.1 <= loop.time() - began <= TYPING_S + INTERVAL_S + SLACK_S
    assert talk.bobs.bodies_of("typing") == []


async def test_message_over_http_ends_typing_after_its_entry(talk: Talk) -> None:
    await talk.bobs.call("typing", {"room": ROOM, "on": True})
    await talk.until(["bob"])
    await asyncio.sleep(INTERVAL_S)
    await talk.bob.send("alice", "second")
    await talk.until(["bob"], [])
    raw = talk.clients["socketio"]
    assert isinstance(raw, RawClient)
    assert [name for name, _ in raw.pushes] == ["ready", "typing", "entry", "typing"]


async def test_end_of_the_websocket_ends_typing(talk: Talk) -> None:
    await talk.bobs.call("typing", {"room": ROOM, "on": True})
    await talk.until(["bob"])
    await talk.bobs.close()
    loop = asyncio.get_running_loop()
    ended = loop.time()
    await talk.until(["bob"], [])
    assert loop.time() - ended < INTERVAL_S + SLACK_S


async def test_blocked_user_types_unseen_and_gets_the_usual_answer(talk: Talk) -> None:
    await talk.clients["socketio"].call("block", {"user": "bob"})
    assert await talk.bobs.call("typing", {"room": ROOM, "on": True}) == {"ok": True}
    assert talk.bobs.last_answer == '[{"ok":true}]'
    assert await talk.clients["websocket"].call("typing", {"room": ROOM, "on": True}) == {"ok": True}
    await asyncio.sleep(1)
    assert talk.shown("socketio") == talk.shown("websocket") == talk.bobs.bodies_of("typing") == []


async def test_flood_of_typing_is_answered_and_pushed_at_most_every_500_ms(talk: Talk) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(500):
        await talk.bobs.emit("typing", {"room": ROOM, "on": number % 2 == 0}, number=1_000 + number)
    await talk.bobs.until(lambda client: 1_499 in client.answers)
    assert all(talk.bobs.answers[number] == {"ok": True} for number in range(1_000, 1_500))
    await asyncio.sleep(1)
    most = (loop.time() - began) / INTERVAL_S + 1
    for wire in WIRES:
        assert len(talk.shown(wire)) <= most
        assert talk.shown(wire)[-1:] in ([], [[]])


async def test_typing_in_many_rooms_is_refused_alike_and_has_no_route(talk: Talk) -> None:
    refusals = set()
    for number in range(3 * SOCKET_ROOMS_MAX):
        for room in (f"pvt-alice-u{number}", "room-" + "a" * 26, "no room"):
            answer = await talk.bobs.call("typing", {"room": room, "on": True})
            assert not answer["ok"]
            refusals.add(talk.bobs.last_answer)
    assert len(refusals) == 1
    async with talk.bob.http.put(f"{talk.bob.api}/rooms/{ROOM}/typing", headers=talk.bob.bearer) as answer:
        assert answer.status == 404
