"""`kill -9` amid sends: acknowledged messages are stored once and in order, all others are sent again."""

import asyncio
import itertools
import os
import secrets
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from attrs import define, field

from tests.integration.cheap_accounts import make_accounts
from tests.integration.clients import RawClient, raw_clients
from tests.integration.serve_client import PASSWORD
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("CHATCORE_TEST_KILLS", "8"))
SOCKETS = 8
UNANSWERED_MIN = 32
SENT_AT_ONCE = 16


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define(eq=False)
class Writer:
    """A user who writes to a peer over a socket, keeps the acknowledgements, and repeats unanswered messages."""

    user: str
    peer: str
    token: str = ""
    unanswered: dict[str, str] = field(factory=dict)
    """Bodies by key, in the order sent."""
    acknowledged: dict[str, int] = field(factory=dict)
    """Seqs by body."""
    duplicates: int = 0
    _count: Iterator[int] = field(factory=itertools.count)
    _numbers: Iterator[int] = field(factory=lambda: itertools.count(SENT_AT_ONCE))

    def _next(self) -> tuple[str, str]:
        """Create a message. Returns its key and body."""
        key, body = secrets.token_hex(8), f"{self.user} {next(self._count)}"
        self.unanswered[key] = body
        return key, body

    async def send_on(self, client: RawClient) -> dict[int, str]:
        """Send all unanswered messages, and new ones up to 16, without waiting. Returns keys by number of answer."""
        while len(self.unanswered) < SENT_AT_ONCE:
            self._next()
        numbered = dict(enumerate(self.unanswered))
        for number, key in numbered.items():
            message = {"to": self.peer, "body": self.unanswered[key], "key": key}
            await client.emit("message.send", message, number=number)
        return numbered

    async def send_more_on(self, client: RawClient) -> None:
        """Send new messages, so that all sockets together have at least `UNANSWERED_MIN` unanswered messages."""
        while len(self.unanswered) < UNANSWERED_MIN // SOCKETS:
            key, body = self._next()
            await client.emit("message.send", {"to": self.peer, "body": body, "key": key}, number=next(self._numbers))

    def take(self, client: RawClient, numbered: dict[int, str]) -> None:
        """Take the answers that have arrived."""
        for number, key in numbered.items():
            if key in self.unanswered and (answer := client.answers.get(number)):
                assert answer["ok"], answer
                self.duplicates += answer["duplicate"]
                self.acknowledged[self.unanswered.pop(key)] = answer["seq"]


async def test_acknowledged_entries_survive_kills_once_and_in_order(tmp_path: Path) -> None:
    writers = [Writer(f"user{number}", f"user{number ^ 1}") for number in range(SOCKETS)]
    await make_accounts(tmp_path, [writer.user for writer in writers])
    async with serving(tmp_path) as server:
        await sign_in(server, writers)
    for _ in kills(writers, KILLS):
        async with serving(tmp_path) as server:
            unanswered = await write_until_killed(server, writers)
            assert unanswered >= UNANSWERED_MIN
    async with serving(tmp_path) as server:
        await finish(server, writers)
        for writer in writers:
            await check(server, writer)
    duplicates = sum(writer.duplicates for writer in writers)
    print(f"{sum(len(writer.acknowledged) for writer in writers)} messages, {duplicates} answers were duplicates")
    assert duplicates


def kills(writers: Sequence[Writer], least: int) -> Iterator[int]:
    """Number the kills: at least ``least``, and more until a kill hit a durable message without an answer."""
    for number in range(10 * least):
        if number >= least and any(writer.duplicates for writer in writers):
            return
        yield number


async def sign_in(server: Server, writers: Sequence[Writer]) -> None:
    async with ClientSession(server.url) as http:
        for writer in writers:
            account = {"user": writer.user, "password": PASSWORD}
            async with http.post("/api/v1/sessions", json=account) as answer:
                writer.token = (await answer.json())["access_token"]


async def write_until_killed(server: Server, writers: Sequence[Writer]) -> int:
    """Kill the server after its first answer. Returns the number of unanswered commands.

    The server is paused first, and more is sent, so that enough is unanswered however fast the server was. Later
    answers are lost with the connection.
    """
    async with raw_clients(f"{server.url}/socket.io/") as clients:
        opened = [await clients.connect(writer.token) for writer in writers]
        sent = await asyncio.gather(*map(Writer.send_on, writers, opened))
        await opened[0].until(lambda client: bool(client.answers))
        server.process.send_signal(signal.SIGSTOP)
        for writer, client, numbered in zip(writers, opened, sent, strict=True):
            writer.take(client, numbered)
        for writer, client in zip(writers, opened, strict=True):
            await writer.send_more_on(client)
        unanswered = sum(len(writer.unanswered) for writer in writers)
        await server.kill()
    return unanswered


async def finish(server: Server, writers: Sequence[Writer]) -> None:
    """Repeat unanswered messages, and wait for every answer."""
    async with raw_clients(f"{server.url}/socket.io/") as clients:
        for writer in writers:
            client = await clients.connect(writer.token)
            numbered = await writer.send_on(client)
            for number in numbered:
                await client.answered(number)
            writer.take(client, numbered)
            assert not writer.unanswered


async def check(server: Server, writer: Writer) -> None:
    """Assert that the log has every message of the writer once, in order, at the acknowledged seq, without holes."""
    entries = await read_all(server, writer)
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    mine = [(entry["body"], entry["seq"]) for entry in entries if entry["author"] == writer.user]
    assert dict(mine) == writer.acknowledged
    assert [body for body, _ in mine] == [f"{writer.user} {number}" for number in range(len(mine))]


async def read_all(server: Server, writer: Writer) -> list[Any]:
    headers = {"Authorization": f"Bearer {writer.token}"}
    entries: list[Any] = []
    async with ClientSession(server.url, headers=headers) as http:
        while True:
            anchor = {"anchor": str(len(entries))} if entries else {"anchor": "oldest"}
            async with http.get(f"/api/v1/users/{writer.peer}/entries", params={**anchor, "after": "199"}) as answer:
                page = await answer.json()
            entries += [entry for entry in page["entries"] if entry["seq"] > len(entries)]
            if not page["has_after"]:
                return entries
