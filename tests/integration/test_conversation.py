"""An end-to-end conversation of two users with two devices each: official clients, default options, and a restart."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import ClientSession
from attrs import define, field

from .mongo_database import empty
from .official import COMES_BACK_S, OfficialClient, javascript_client, python_client
from .serving import Server, serving

pytestmark = pytest.mark.anyio

PASSWORD = "a long sentence"
SECRET = "a secret of the tests, of 32 bytes or more"
PRIVATE = "pvt-alice-bob"
DEVICES = [("alice", "phone"), ("alice", "laptop"), ("bob", "phone"), ("bob", "laptop")]

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Server]]
Connect: TypeAlias = Callable[[str, str], AbstractAsyncContextManager[OfficialClient]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["javascript", "python"])
def connect(request: pytest.FixtureRequest, node_modules: Path) -> Connect:
    def opened(url: str, token: str) -> AbstractAsyncContextManager[OfficialClient]:
        return python_client(url, token) if request.param == "python" else javascript_client(url, token, node_modules)

    return opened


@pytest.fixture(params=["sqlite", "mongodb"])
def settings(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Return the settings of the server for each store."""
    if request.param == "sqlite":
        return {}
    url = request.getfixturevalue("mongo_url")
    empty(url)
    return {"CHATCORE_STORE": url, "CHATCORE_SECRET": SECRET}


@define(eq=False)
class Device:
    """A client that keeps the logs of its rooms by the contract: it takes no push before `sync` is answered."""

    user: str
    client: OfficialClient
    logs: dict[str, dict[int, Any]] = field(factory=dict)
    """Entries by seq."""
    cursors: dict[str, int] = field(factory=dict)
    syncs: int = 0
    _sync: int | None = None
    _pages: set[int] = field(factory=set)

    def listen(self) -> None:
        """Process all events that have arrived, and all later events."""
        for event in self.client.arrived:
            self._take(*event)
        self.client.listener = self._take

    def _take(self, kind: str, name: Any, body: Any) -> None:
        match kind, name:
            case "push", "ready":
                self._begin(body)
            case "answer", number if number == self._sync:
                self._take_sync(body)
            case "answer", number if number in self._pages:
                self._keep(body["room"], body["entries"])
            case "push", "room" if self._sync is None:
                self._take_room(body)
            case "push", "entry" if self._sync is None:
                self._take_next(body["room"], [body])
            case _:
                pass

    def _begin(self, ready: Any) -> None:
        for room in ready["rooms"]:
            self.cursors.setdefault(room["room"], 0)
        epoch = ready["epoch"]
        cursors = {room: {"seq": seq, "epoch": epoch} if seq else {"seq": 0} for room, seq in self.cursors.items()}
        self._sync = self.client.emit("sync", {"cursors": cursors})

    def _take_sync(self, answer: Any) -> None:
        assert answer["ok"], answer
        for room, synced in answer["rooms"].items():
            assert synced["status"] == "events", synced
            self._take_next(room, synced["entries"])
            assert self.cursors[room] == synced["head"]
        self._sync = None
        self.syncs += 1

    def _take_room(self, room: Any) -> None:
        """Add a room. Entries before the user's join are paged."""
        cursor = self.cursors.setdefault(room["room"], 0)
        if room["head"] > cursor:
            self.cursors[room["room"]] = room["head"]
            page = {"room": room["room"], "anchor": room["head"], "before": room["head"] - cursor - 1}
            self._pages.add(self.client.emit("history", page))

    def _take_next(self, room: str, entries: Sequence[Any]) -> None:
        for entry in entries:
            if entry["seq"] > self.cursors[room]:  # pushes arrive at least once: known entries are dropped
                assert entry["seq"] == self.cursors[room] + 1, (room, self.cursors, entry)
                self.cursors[room] = entry["seq"]
                self._keep(room, [entry])

    def _keep(self, room: str, entries: Sequence[Any]) -> None:
        self.logs.setdefault(room, {}).update({entry["seq"]: entry for entry in entries})

    def log(self, room: str) -> list[Any]:
        """Return the entries of the room in order."""
        return [entry for _, entry in sorted(self.logs.get(room, {}).items())]

    async def has(self, room: str, count: int) -> None:
        """Wait until the log of the room is 1, 2, 3 … up to ``count``."""
        await self.client.until(lambda _: len(self.logs.get(room, ())) >= count, COMES_BACK_S)
        assert [entry["seq"] for entry in self.log(room)] == list(range(1, count + 1))

    async def synced(self, times: int) -> None:
        await self.client.until(lambda _: self.syncs == times, COMES_BACK_S)

    async def send(self, body: str, **where: str) -> Any:
        return await self.client.call("message.send", {**where, "body": body, "key": secrets.token_hex(8)})


@define
class People:
    """The users at the server over HTTP."""

    server: Server
    http: ClientSession
    tokens: dict[tuple[str, str], str] = field(factory=dict)

    async def sign_up(self) -> None:
        for user, device in DEVICES:
            account = {"user": user, "password": PASSWORD}
            async with self.http.post(f"{self.server.url}/api/v1/accounts", json=account) as answer:
                assert answer.status in (201, 409)
            session = {**account, "device": device}
            async with self.http.post(f"{self.server.url}/api/v1/sessions", json=session) as answer:
                self.tokens[user, device] = (await answer.json())["access_token"]

    async def ask(self, user: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[user, 'phone']}"}
        url = f"{self.server.url}/api/v1{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()

    async def post(self, user: str, to: str, body: str) -> Any:
        return await self.ask(user, "POST", f"{to}/messages", {"body": body, "key": secrets.token_hex(8)})


@asynccontextmanager
async def online(people: People, connect: Connect) -> AsyncGenerator[Sequence[Device]]:
    """All devices of all users, after their `sync`."""
    async with AsyncExitStack() as stack:
        devices: list[Device] = []
        for user, name in DEVICES:
            client = await stack.enter_async_context(connect(people.server.url, people.tokens[user, name]))
            devices.append(Device(user, client))
            devices[-1].listen()
        for device in devices:
            await device.synced(1)
        yield devices


async def test_two_users_chat_on_two_devices_each_across_restart(
    tmp_path: Path, connect: Connect, settings: Mapping[str, str]
) -> None:
    # The server ends after the clients: python-socketio's may miss its end while it tries to reconnect.
    async with ClientSession() as http, AsyncExitStack() as servers:
        server = await servers.enter_async_context(serving(tmp_path, environment=settings))
        people = People(server, http)
        await people.sign_up()
        async with online(people, connect) as devices:
            await write_the_first_messages_at_once(people, devices)
            room = await join_over_http(people, devices)
            await restart(people, servers, partial(serving, tmp_path, environment=settings), room, devices)
            await agree(people, room, devices)


async def write_the_first_messages_at_once(people: People, devices: Sequence[Device]) -> None:
    """Both users write at once, one of them over HTTP. There is one room, and every device gets both messages."""
    phone = devices[0]
    answers = await asyncio.gather(phone.send("hi bob", to="bob"), people.post("bob", "/users/alice", "hi alice"))
    assert {answer["seq"] for answer in answers} == {1, 2}
    assert {answer["room"] for answer in answers} == {PRIVATE}
    for device in devices:
        await device.has(PRIVATE, 2)
        assert {entry["body"] for entry in device.log(PRIVATE)} == {"hi bob", "hi alice"}


async def join_over_http(people: People, devices: Sequence[Device]) -> str:
    """Alice creates a room over the socket. Bob joins over HTTP, and both his sockets get the room at once."""
    created = await devices[1].client.call(
        "room.create", {"kind": "public", "title": "For all", "key": secrets.token_hex(8)}
    )
    room: str = created["room"]
    assert [device.logs.get(room) for device in devices if device.user == "bob"] == [None, None]
    joined = await people.ask("bob", "PUT", f"/rooms/{room}/members/bob")
    for device in devices:
        await device.has(room, joined["seq"])
        last = device.log(room)[-1]
        assert (last["kind"], last["user"]) == ("joined", "bob")
    assert (await devices[3].send("here I am", room=room))["ok"]
    return room


async def restart(people: People, servers: AsyncExitStack, serve: Serve, room: str, devices: Sequence[Device]) -> None:
    """Restart the server. Messages are sent before the clients are back, which reconnect by themselves."""
    for device in devices:
        await device.has(room, 3)
    assert await people.server.stop() == 0
    for device in devices:
        await device.client.until(lambda client: client.life("disconnect"))
        assert device.client.bodies_of("bye") == [{"code": "shutdown", "resumable": True}]
    people.server = await servers.enter_async_context(serve(port=people.server.port))
    for n in range(20):
        await people.post("alice", "/users/bob", f"while you were away {n}")
        await people.post("bob", f"/rooms/{room}", f"is anybody here {n}")
    for device in devices:
        await device.synced(2)
    assert (await devices[2].send("there you are", to="alice"))["ok"]
    assert (await devices[0].send("there you are", room=room))["ok"]


async def agree(people: People, room: str, devices: Sequence[Device]) -> None:
    """Assert that every client has the same log as the server: 1, 2, 3 … without a hole."""
    for path, name, count in (("/users/bob", PRIVATE, 23), (f"/rooms/{room}", room, 24)):
        page = await people.ask("alice", "GET", f"{path}/entries?anchor=oldest&after=200")
        assert [entry["seq"] for entry in page["entries"]] == list(range(1, count + 1))
        for device in devices:
            await device.has(name, count)
            assert device.log(name) == page["entries"]
