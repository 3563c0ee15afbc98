"""The programs of hosts in examples/, each played through beside a real server and with real clients."""

import asyncio
import sys
from asyncio import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import socketio
from aiohttp import ClientSession, CookieJar

from .clients import TIMEOUT_S
from .mongo_database import a_database
from .mongod import free_port
from .official import PythonClient, python_client
from .serve_client import sign_in
from .serving import serving

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "a secret of the tests, of 32 bytes or more"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def url(mongod: str) -> Generator[str]:
    with a_database(mongod) as url:
        yield url


@pytest.fixture
async def alice(url: str, tmp_path: Path) -> AsyncGenerator[PythonClient]:
    """A client of alice at a server on the database."""
    environment = {"CHATCORE_STORE": url, "CHATCORE_SECRET": SECRET}
    async with serving(tmp_path, environment=environment) as server, ClientSession() as http:
        user = await sign_in(http, server.url, "alice")
        client = PythonClient()
        await client.client.connect(server.url, auth={"token": user.token})
        try:
            yield client
        finally:
            await client.client.disconnect()


@asynccontextmanager
async def program(
    name: str, *arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None
) -> AsyncGenerator[subprocess.Process]:
    """A running program of examples/. It is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",  # a test waits for a line that the program prints
        str(EXAMPLES / name),
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def bodies(client: PythonClient) -> list[str]:
    return [entry["body"] for entry in client.bodies_of("entry") if entry["kind"] == "message"]


async def notices(url: str, *lines: str) -> tuple[list[str], list[str]]:
    """Run the worker with these lines. Returns what it printed, and what it complained of."""
    async with program("notices.py", url) as worker:
        async with asyncio.timeout(TIMEOUT_S):
            printed, complained = await worker.communicate("".join(f"{line}\n" for line in lines).encode())
    return printed.decode().splitlines(), complained.decode().splitlines()


async def test_worker_sends_notices_in_order_and_once_and_names_refused_ones(url: str, alice: PythonClient) -> None:
    lines = ["alice Your parcel has arrived.", "alice Your refund is on its way."]
    assert await notices(url, *lines) == (["alice 1 sent", "alice 2 sent"], [])
    printed, complained = await notices(url, *lines, ".. nobody has this name", "alice Thank you.")
    assert printed == ["alice 1 repeated", "alice 2 repeated", "alice 3 sent"]
    assert complained == ["not sent: .. nobody has this name: to is not a valid user id."]
    await alice.until(lambda client: len(bodies(client)) == 3)
    assert bodies(alice) == ["Your parcel has arrived.", "Your refund is on its way.", "Thank you."]


async def test_flask_shop_sends_a_shipment_once_and_shows_the_answer(url: str, alice: PythonClient) -> None:
    port = free_port()
    async with (
        program("flask_shop.py", str(port), environment={"SHOP_STORE": url}) as shop,
        ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        await listening(shop)
        shipments = [await shipped(http) for _ in range(3)]
        assert {shipment["seq"] for shipment in shipments} == {1}
        assert [shipment["duplicate"] for shipment in shipments] == [False, True, True]
        await alice.until(lambda client: bodies(client) == ["Order A-17 is on its way."])
        assert (await alice.call("message.send", {"to": "shop", "body": "Thanks!", "key": "k1"}))["ok"]
        async with http.get("/customers/alice/messages") as answer:
            assert await answer.json() == ["shop: Order A-17 is on its way.", "alice: Thanks!"]
        async with http.post("/orders/A-17/shipment", data={"customer": ".."}) as refused:
            assert (refused.status, (await refused.json())["code"]) == (400, "invalid")


async def listening(shop: subprocess.Process) -> None:
    """Wait until Flask's server listens."""
    assert shop.stderr
    async with asyncio.timeout(TIMEOUT_S):
        while b"Running on" not in (line := await shop.stderr.readline()):
            assert line, "the shop has ended"


async def shipped(http: ClientSession) -> dict[str, object]:
    """Post the shipment of an order."""
    async with http.post("/orders/A-17/shipment", data={"customer": "alice"}) as answer:
        assert answer.status == 200, await answer.text()
        shipment: dict[str, object] = await answer.json()
        return shipment


async def test_namespace_beside_a_hosts_python_socketio_delivers_to_every_device() -> None:
    port = free_port()
    async with program("namespace.py", str(port)) as host:
        assert host.stdout
        async with asyncio.timeout(TIMEOUT_S):
            assert b"Running on" in await host.stdout.readline()
        phone, laptop, bob = PythonClient(), PythonClient(), PythonClient()
        clients = {phone: "alice", laptop: "alice", bob: "bob"}
        for client, user in clients.items():
            client.listen("/chat")
            await client.client.connect(f"http://127.0.0.1:{port}", auth={"user": user}, namespaces=["/chat"])
            await client.until(lambda client: client.bodies_of("ready"))
        for number in range(5):
            message = {"to": "alice", "body": str(number), "key": f"k{number}"}
            for _ in range(2):
                answer = await bob.client.call("message.send", message, namespace="/chat")
                assert answer is not None
                assert answer["ok"], answer
        for client in (phone, laptop):
            await client.until(lambda client: len(bodies(client)) == 5)
            assert bodies(client) == ["0", "1", "2", "3", "4"]
        for client in clients:
            await client.client.disconnect()


@asynccontextmanager
async def uvicorn(application: str, folder: Path, **environment: str) -> AsyncGenerator[str]:
    """The URL of an ASGI application of examples/ that uvicorn serves in ``folder``."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", application, "--app-dir", str(EXAMPLES), "--port", str(port)),
        cwd=folder,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stderr
        async with asyncio.timeout(TIMEOUT_S):
            while b"Uvicorn running on" not in (line := await process.stderr.readline()):
                assert line, f"{application} has ended"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.communicate()


async def test_fastapi_program_chats_with_its_own_tokens(tmp_path: Path) -> None:
    key = "a key of the tests, of 32 bytes or more"
    async with uvicorn("fastapi_jwt:app", tmp_path, SHOP_KEY=key) as url, ClientSession(url) as http:
        async with http.post("/login", json={"user": "alice", "password": "wrong"}) as refused:
            assert await refused.json() == {"error": "wrong name or password"}
        async with http.post("/login", json={"user": "alice", "password": "open sesame"}) as answer:
            bearer = {"Authorization": f"Bearer {(await answer.json())['token']}"}
        for _ in range(2):
            async with http.post("/orders/A-17/shipment", json={"customer": "alice"}) as answer:
                assert await answer.json() == {"seq": 1}
        async with http.get("/chat/api/v1/rooms", headers=bearer) as answer:
            (room,) = (await answer.json())["rooms"]
            assert room["last"]["body"] == "Order A-17 is on its way."
        async with python_client(url, bearer["Authorization"].split()[1], path="/chat/socket.io/") as alice:
            assert alice.bodies_of("ready")[0]["user"] == "alice"
            async with http.post("/orders/A-18/shipment", json={"customer": "alice"}) as answer:
                assert await answer.json() == {"seq": 2}
            await alice.until(lambda client: bodies(client) == ["Order A-18 is on its way."])
        for token in ("", "Bearer x.y.z"):
            async with http.get("/chat/api/v1/rooms", headers={"Authorization": token}) as answer:
                assert answer.status == 401
        async with http.get("/elsewhere") as answer:
            assert await answer.json() == {"detail": "Not Found"}


async def test_django_project_chats_with_its_own_sessions(tmp_path: Path) -> None:
    async with (
        uvicorn("django_shop:application", tmp_path, SHOP_SECRET="a secret of the tests") as url,
        ClientSession(url, cookie_jar=CookieJar(unsafe=True)) as http,  # which keeps cookies of addresses
        ClientSession(url) as stranger,
    ):
        async with http.post("/login", data={"user": "alice"}) as answer:
            assert answer.status == 200
        for _ in range(2):
            async with http.post("/orders/A-17/shipment", data={"customer": "alice"}) as answer:
                assert await answer.json() == {"seq": 1}
        async with http.get("/unread") as answer:
            assert await answer.json() == {"rooms": 1, "messages": 1}
        async with http.get("/chat/api/v1/rooms") as answer:
            (room,) = (await answer.json())["rooms"]
            assert room["last"]["body"] == "Order A-17 is on its way."
        async with http.put(f"/chat/api/v1/rooms/{room['room']}/marker", json={"read": 1}) as answer:
            assert (await answer.json())["unread"] == 0
        async with stranger.get("/chat/api/v1/rooms", cookies={"sessionid": "forged:1:x"}) as answer:
            assert answer.status == 401
        async with http.get("/elsewhere") as answer:
            assert answer.status == 404
            assert "problem" not in answer.content_type


@asynccontextmanager
async def aiohttp_program(name: str, folder: Path) -> AsyncGenerator[str]:
    """The URL of an aiohttp program of examples/ that runs in ``folder``."""
    port = free_port()
    async with program(name, str(port), folder=folder) as host:
        assert host.stdout
        async with asyncio.timeout(TIMEOUT_S):
            assert b"Running on" in await host.stdout.readline()
        yield f"http://127.0.0.1:{port}"


async def test_moderating_gate_refuses_and_replaces_words_of_sends_and_edits(tmp_path: Path) -> None:
    async with aiohttp_program("moderation.py", tmp_path) as url, ClientSession(url) as http:
        alice, bob = PythonClient(), PythonClient()
        for client, user in ((alice, "alice"), (bob, "bob")):
            await client.client.connect(url, auth={"token": user}, socketio_path="/chat/socket.io/")
            await client.until(lambda client: client.bodies_of("ready"))
        sent = await alice.call("message.send", {"to": "bob", "body": "Damn, it rains.", "key": "k1"})
        for _ in range(2):
            refused = await alice.call("message.send", {"to": "bob", "body": "Buy now!", "key": "k2"})
            assert (refused["ok"], refused["error"]["code"]) == (False, "forbidden")
        edit = {"room": sent["room"], "seq": 1, "version": 1, "body": "Buy now!"}
        assert not (await alice.call("message.edit", edit))["ok"]
        again = await alice.call("message.send", {"to": "bob", "body": "Damn, it rains.", "key": "k1"})
        assert (again["seq"], again["duplicate"]) == (1, True)
        path = f"/chat/api/v1/rooms/{sent['room']}/messages"
        message = {"body": "buy NOW", "key": "k3"}
        async with http.post(path, json=message, headers={"Authorization": "Bearer bob"}) as answer:
            assert answer.status == 403
        assert bodies(bob) == ["****, it rains."]
        for client in (alice, bob):
            await client.client.disconnect()


async def test_aiohttp_shop_chats_with_its_cookies_and_ends_sockets_at_sign_out(tmp_path: Path) -> None:
    async with aiohttp_program("aiohttp_shop.py", tmp_path) as url:
        jar = CookieJar(unsafe=True)  # which keeps cookies of addresses
        async with ClientSession(url, cookie_jar=jar) as http, ClientSession(cookie_jar=jar) as of_client:
            async with http.get("/chat/api/v1/rooms") as answer:
                assert answer.status == 401
            async with http.post("/sign-in", data={"user": "alice"}):
                pass
            alice = PythonClient(socketio.AsyncClient(http_session=of_client))
            await alice.client.connect(url, socketio_path="/chat/socket.io/", headers={"Origin": url})
            await alice.until(lambda client: client.bodies_of("ready"))
            async with http.post("/orders/A-17/shipment", data={"customer": "alice"}) as answer:
                assert await answer.json() == {"seq": 1}
            await alice.until(lambda client: bodies(client) == ["Order A-17 is on its way."])
            async with http.post("/sign-out"):
                pass
            await alice.until(lambda client: [bye["code"] for bye in client.bodies_of("bye")] == ["signed_out"])
            async with http.get("/chat/api/v1/rooms") as answer:
                assert answer.status == 401
            await alice.client.disconnect()
