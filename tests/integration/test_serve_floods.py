"""200 wrong passwords a second keep no user out, at the command `chatcore` with hashes of the default cost."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector

from tests.integration.serve_client import PASSWORD
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio

HOME = "127.0.0.1"
SLOWNESS = 3
"""The factor by which a promised time may be exceeded, since the machine of the tests is busy."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    async with serving(tmp_path, "--store", "memory") as served:
        yield served


def client(address: str) -> ClientSession:
    return ClientSession(connector=TCPConnector(local_addr=(address, 0), limit=0))


async def sign_up(server: Server, user: str, address: str) -> None:
    async with (
        client(address) as http,
        http.post(f"{server.url}/api/v1/accounts", json={"user": user, "password": PASSWORD}) as answer,
    ):
        assert answer.status == 201, await answer.text()


async def patient_sign_in(server: Server, user: str, address: str) -> float:
    """Sign in like a client that obeys Retry-After. Returns the seconds that it took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    async with client(address) as http:
        while True:
            async with http.post(f"{server.url}/api/v1/sessions", json={"user": user, "password": PASSWORD}) as answer:
                if answer.status == 201:
                    return clock() - began
                assert answer.status == 429, await answer.text()
                retry_after = int(answer.headers["Retry-After"])
            await asyncio.sleep(retry_after)


@asynccontextmanager
async def flooded(server: Server, name: Callable[[int], str], addresses: int) -> AsyncGenerator[None]:
    """Send 200 wrong passwords a second from several addresses. The block begins after 300 answers.

    At most 100 requests are unanswered at a time, so that they do not pile up on a busy machine.
    """
    numbers = itertools.count()
    answered, enough, unanswered = 0, asyncio.Event(), asyncio.Semaphore(100)

    async def guess(http: ClientSession, number: int) -> None:
        nonlocal answered
        try:
            async with http.post(
                f"{server.url}/api/v1/sessions", json={"user": name(number), "password": "a wrong password"}
            ) as answer:
                assert answer.status in (401, 429), await answer.text()
        except ClientError:
            return
        finally:
            unanswered.release()
        answered += 1
        if answered == 300:
            enough.set()

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(client(HOME if addresses == 1 else f"127.0.1.{number + 1}"))
            for number in range(addresses)
        ]
        guesses = await stack.enter_async_context(asyncio.TaskGroup())

        async def attack() -> None:
            clock = asyncio.get_running_loop().time
            due = clock()
            while True:
                await unanswered.acquire()
                number = next(numbers)
                guesses.create_task(guess(clients[number % addresses], number))
                due += 1 / 200
                await asyncio.sleep(max(0, due - clock()))

        attacking = guesses.create_task(attack())
        try:
            async with asyncio.timeout(60):
                await enough.wait()
            yield
        finally:
            attacking.cancel()


@pytest.mark.parametrize("known", [True, False])
async def test_user_signs_in_while_50_addresses_guess_name(server: Server, known: bool) -> None:
    await sign_up(server, "bob", HOME if known else "127.0.2.1")
    async with flooded(server, lambda _: "bob", addresses=50):
        assert await patient_sign_in(server, "bob", HOME) < 5 * SLOWNESS


async def test_user_signs_in_while_own_address_guesses_other_names(server: Server) -> None:
    await sign_up(server, "bob", HOME)
    async with flooded(server, lambda number: f"name-{number}", addresses=1):
        assert await patient_sign_in(server, "bob", HOME) < 5 * SLOWNESS


async def test_simultaneous_sign_ins_finish_in_time_of_their_hashes(server: Server) -> None:
    users = [f"user-{number}" for number in range(30)]  # more than may wait at a time
    clock = asyncio.get_running_loop().time
    began = clock()
    for user in users:
        await sign_up(server, user, HOME)
    one_by_one = clock() - began
    took = await asyncio.gather(*(patient_sign_in(server, user, HOME) for user in users))
    assert max(took) < (2 * one_by_one + 1) * SLOWNESS
