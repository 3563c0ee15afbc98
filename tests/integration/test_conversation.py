"""An end-to-end conversation of two users with two devices each, across a restart, on the server and on hosts.

The clients are the official ones with their default options, and one of the plain WebSocket.
"""

import asyncio
import secrets
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import ClientSession
from attrs import define, field, frozen

from .host_processes import host_process
from .http_hosts import ON_ASGI, WHOLE
from .mongo_database import empty
from .official import COMES_BACK_S, OfficialClient, javascript_client, python_client
from .reconnecting_client import reconnecting_client
from .serving import serving

pytestmark = pytest.mark.anyio

PASSWORD = "a long sentence"
SECRET = "a secret of the tests, of 32 bytes or more"
PRIVATE = "pvt-alice-bob"
DEVICES = [("alice", "phone"), ("alice", "laptop"), ("bob", "phone"), ("bob", "laptop")]

OFFICIAL = ("javascript", "python")
CLIENTS = (*OFFICIAL, "websocket")
CASES = [
    *(("server", client) for client in CLIENTS),
    *(("server on mongodb", client) for client in OFFICIAL),
    *(("mount", client) for client in CLIENTS),
    *((host, client) for host in ON_ASGI for client in CLIENTS if host in WHOLE),
    *((host, client) for host in ("fastapi", "litestar") for client in OFFICIAL if host not in WHOLE),
]


@frozen
class Service:
    """What serves the conversation.

    Attributes:
        origin: of its URLs.
        prefix: of its paths.
        has_accounts: whether users sign up and sign in. Otherwise ``user@device`` is a token.
        stop: stops its process, and returns the exit code.
        byes: the reasons that it tells to clients when it stops.
    """

    origin: str
    prefix: str
    has_accounts: bool
    stop: Callable[[], Awaitable[int]]
    byes: Sequence[Mapping[str, Any]]

    @property
    def url(self) -> str:
        return self.origin + self.prefix

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])


Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Service]]
Connect: TypeAlias = Callable[[Service, str], AbstractAsyncContextManager[OfficialClient]]

SHUTDOWN = {"code": "shutdown", "resumable": True}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def connect(request: pytest.FixtureRequest, node_modules: Path) -> Connect:
    def opened(service: Service, token: str) -> AbstractAsyncContextManager[OfficialClient]:
        path = f"{service.prefix}/socket.io/"
        match request.param:
            case "python":
                return python_client(service.origin, token, path)
            case "javascript":
                return javascript_client(service.origin, token, node_modules, path)
            case _:
                return reconnecting_client(f"{service.url}/ws", token)

    return opened


@pytest.fixture
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """Serves the conversation on a port. Its data stays for the next time."""
    if request.param not in ("server", "server on mongodb"):
        return partial(hosted, tmp_path, request.param)
    settings = {}
    if request.param == "server on mongodb":
        url = request.getfixturevalue("mongo_url")
        empty(url)
        settings = {"CHATCORE_STORE": url, "CHATCORE_SECRET": SECRET}
    return partial(bundled, tmp_path, settings)


@asynccontextmanager
async def bundled(folder: Path, settings: Mapping[str, str], port: int = 0) -> AsyncGenerator[Service]:
    async with serving(folder, port=port, environment=settings) as server:
        yield Service(server.url, "", True, server.stop, [SHUTDOWN])


@asynccontextmanager
async def hosted(folder: Path, host: str, port: int | None = None) -> AsyncGenerator[Service]:
    async with host_process(folder, "aiohttp" if host == "mount" else host, port=port) as process:

        async def stop() -> int:
            code = await process.stop()
            return 0 if code == -signal.SIGTERM else code  # uvicorn ends by the signal that stopped it

        # uvicorn closes the websockets before ChatApp hears of the stop.
        yield Service(process.origin, process.prefix, False, stop, [SHUTDOWN] if host == "mount" else [])


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
    """The users at the service over HTTP."""

    service: Service
    http: ClientSession
    tokens: dict[tuple[str, str], str] = field(factory=dict)

    async def sign_up(self) -> None:
        for user, device in DEVICES:
            if not self.service.has_accounts:
                self.tokens[user, device] = f"{user}@{device}"
                continue
            account = {"user": user, "password": PASSWORD}
            async with self.http.post(f"{self.service.url}/api/v1/accounts", json=account) as answer:
                assert answer.status in (201, 409)
            session = {**account, "device": device}
            async with self.http.post(f"{self.service.url}/api/v1/sessions", json=session) as answer:
                self.tokens[user, device] = (await answer.json())["access_token"]

    async def ask(self, user: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[user, 'phone']}"}
        url = f"{self.service.url}/api/v1{path}"
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
            client = await stack.enter_async_context(connect(people.service, people.tokens[user, name]))
            devices.append(Device(user, client))
            devices[-1].listen()
        for device in devices:
            await device.synced(1)
        yield devices


@pytest.mark.parametrize(("serve", "connect"), CASES, indirect=True)
async def test_two_users_chat_on_two_devices_each_across_restart(serve: Serve, connect: Connect) -> None:
    # The server ends after the clients: python-socketio's may miss its end while it tries to reconnect.
    async with ClientSession() as http, AsyncExitStack() as services:
        service = await services.enter_async_context(serve())
        people = People(service, http)
        await people.sign_up()
        async with online(people, connect) as devices:
            await write_the_first_messages_at_once(people, devices)
            room = await join_over_http(people, devices)
            await restart(people, services, serve, room, devices)
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


async def restart(people: People, services: AsyncExitStack, serve: Serve, room: str, devices: Sequence[Device]) -> None:
    """Restart the service. Messages are sent before the clients are back, which reconnect by themselves."""
    for device in devices:
        await device.has(room, 3)
    assert await people.service.stop() == 0
    for device in devices:
        await device.client.until(lambda client: client.life("disconnect"))
        assert device.client.bodies_of("bye") == people.service.byes
    people.service = await services.enter_async_context(serve(port=people.service.port))
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
