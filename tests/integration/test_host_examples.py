"""The programs of hosts in examples/, each played through beside a real server and with real clients."""

import asyncio
import sys
from asyncio import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from .clients import TIMEOUT_S
from .mongo_database import a_database
from .mongod import free_port
from .official import PythonClient
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
    name: str, *arguments: str, environment: dict[str, str] | None = None
) -> AsyncGenerator[subprocess.Process]:
    """A running program of examples/. It is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
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
                assert answer["ok"], answer
        for client in (phone, laptop):
            await client.until(lambda client: len(bodies(client)) == 5)
            assert bodies(client) == ["0", "1", "2", "3", "4"]
        for client in clients:
            await client.client.disconnect()
