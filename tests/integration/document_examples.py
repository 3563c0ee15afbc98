"""Carries out the examples of the contract's documents against a real server, and compares the answers."""

import json
import re
from typing import Any, TypeAlias

import aiohttp
from attrs import define, field

Json: TypeAlias = Any

TIMEOUT_S = 15
USERS = ("alice", "bob", "carol")
PASSWORD = "correct horse battery"
OPAQUE = {
    "access_token", "at", "device", "edited_at", "epoch", "expires_in", "id", "next", "node", "refresh_token", "since",
    "socket", "token",
}  # fmt: skip
"""Fields whose values the server chooses. Later examples may name the values that earlier ones show."""


@define
class Values:
    """The values that the server chose, by the values in the examples."""

    by_shown: dict[str, str] = field(factory=dict)

    def fill(self, value: Json) -> Json:
        """Return what a client sends for a value of an example."""
        match value:
            case str():
                return self.by_shown.get(value, value)
            case dict():
                return {self.fill(name): self.fill(inner) for name, inner in value.items()}
            case list():
                return [self.fill(inner) for inner in value]
            case _:
                return value

    def fill_path(self, path: str) -> str:
        for shown, actual in self.by_shown.items():
            path = path.replace(f"/{shown}", f"/{actual}")
        return path

    def matches(self, shown: Json, actual: Json) -> bool:
        """Return whether an answer is the one that an example shows, and keep the values that the server chose."""
        match shown, actual:
            case dict(), dict():
                if shown.keys() != actual.keys():
                    return False
                return all(self._field_matches(name, shown[name], actual[name]) for name in shown)
            case list(), list():
                return len(shown) == len(actual) and all(map(self.matches, shown, actual))
            case _:
                return type(shown) is type(actual) and bool(shown == actual)

    def _field_matches(self, name: str, shown: Json, actual: Json) -> bool:
        if name not in OPAQUE or isinstance(shown, dict | list):
            return self.matches(shown, actual)
        if type(shown) is not type(actual):
            return False
        if isinstance(shown, str):
            self.by_shown[shown] = actual
        return True


def compare(values: Values, shown: Json, actual: Json) -> None:
    assert values.matches(shown, actual), f"\nthe example {json.dumps(shown)}\nthe answer  {json.dumps(actual)}"


@define(eq=False)
class Server:
    """A server under test, with the accounts of the examples."""

    url: str
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(factory=dict)

    async def sign_up(self, *users: str) -> None:
        for user in users:
            async with self.http.post(
                f"{self.url}/api/v1/accounts", json={"user": user, "password": PASSWORD}
            ) as answer:
                assert answer.status == 201

    async def sign_in(self, *users: str) -> None:
        for user in users:
            body = {"user": user, "password": PASSWORD, "device": "phone"}
            async with self.http.post(f"{self.url}/api/v1/sessions", json=body) as answer:
                self.tokens[user] = (await answer.json())["access_token"]

    async def request(self, user: str | None, method: str, path: str, body: Json) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        async with self.http.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@define(eq=False)
class Socket:
    """A user's socket, over Socket.IO or over a plain WebSocket."""

    websocket: aiohttp.ClientWebSocketResponse
    is_plain: bool
    pushes: list[tuple[str, Json]] = field(factory=list)

    @classmethod
    async def connect(cls, server: Server, user: str, *, is_plain: bool) -> "Socket":
        path = "/ws" if is_plain else "/socket.io/?EIO=4&transport=websocket"
        socket = cls(await server.http.ws_connect(server.url + path), is_plain)
        token = {"token": server.tokens[user]}
        await socket.websocket.send_str(
            json.dumps({"event": "connect", "data": token}) if is_plain else f"40{json.dumps(token)}"
        )
        await socket.until("ready")
        return socket

    async def call(self, frame: str) -> str:
        """Send a frame with a command, and return the frame that answers it."""
        await self.websocket.send_str(frame)
        while True:
            received = await self._receive()
            if self._push(received) is None and (self.is_plain or received.startswith("43")):
                return received

    async def until(self, event: str) -> Json:
        """Return the next push of an event."""
        while True:
            push = self._push(await self._receive())
            if push is not None and push[0] == event:
                return push[1]

    async def _receive(self) -> str:
        frame = await self.websocket.receive_str(timeout=TIMEOUT_S)
        if frame == "2" and not self.is_plain:
            await self.websocket.send_str("3")
        return frame

    def _push(self, frame: str) -> tuple[str, Json] | None:
        push: tuple[str, Json] | None = None
        if self.is_plain and "event" in (message := json.loads(frame)):
            push = message["event"], message["data"]
        elif not self.is_plain and re.match(r"42\[", frame):
            event, data = json.loads(frame[2:])
            push = event, data
        if push is not None:
            self.pushes.append(push)
        return push


def frame_parts(frame: str) -> tuple[str, Json]:
    """Return the packet type and acknowledgement's id of a frame of Socket.IO, and the value after them."""
    text = frame.lstrip("0123456789")
    return frame.removesuffix(text), json.loads(text)
