"""The example of a WebSocket of a FastAPI application's own is played through."""

import fastapi_websocket
import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from chatcore import Chat
from chatcore_memory import MemoryStore

from .http_hosts import uvicorn_listening
from .plain_client import PlainClient

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_two_users_chat_and_one_is_kicked(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat(MemoryStore())
    monkeypatch.setattr(fastapi_websocket, "chat", chat)
    async with uvicorn_listening(fastapi_websocket.app, ws="wsproto") as url, ClientSession() as http:
        alice = await PlainClient.open(http, f"{url}/chat", Authorization="Bearer token of alice")
        bob = await PlainClient.open(http, f"{url}/chat", Authorization="Bearer token of bob")
        await bob.until(lambda client: bool(client.bodies_of("ready")))
        answers = [await alice.call("message.send", {"to": "bob", "key": f"k{n}", "body": f"{n}"}) for n in range(20)]
        assert [answer["seq"] for answer in answers] == list(range(1, 21))
        for client in (alice, bob):
            await client.until(lambda client: len(client.bodies_of("entry")) == 20)
            assert [entry["body"] for entry in client.bodies_of("entry")] == [f"{n}" for n in range(20)]
        await chat.close_socket("bob", bob.bodies_of("ready")[0]["socket"])
        assert await bob.closed() == 1000
        assert bob.bodies_of("bye") == [{"code": "kicked", "resumable": False}]
        await alice.send("no JSON")
        await alice.closed()
        with pytest.raises(WSServerHandshakeError):
            await http.ws_connect(f"{url}/chat", headers={"Authorization": "Bearer of another"})
    assert chat.stats().sockets == 0
