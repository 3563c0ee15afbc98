"""Plays the examples of docs/protocol.md against a real server."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import socketio
from attrs import define, field

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
TIMEOUT_S = 10
PING, PONG = "2", "3"

Json: TypeAlias = Any


def examples(setting: str = "") -> Iterator[str]:
    """Yield the lines of all examples, in order, for a server with the setting that the page names beside them."""
    fence = f"^```example{f' {setting}' if setting else ''}\n(.*?)^```$"
    for block in re.findall(fence, PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        yield from block.splitlines()


@define(eq=False)
class User:
    """A user of the examples: the access token, and what has arrived on the current socket but is not compared yet.

    ``frames`` is a bare websocket, for examples that show frames. All other examples use an official client.
    """

    token: str
    frames: aiohttp.ClientWebSocketResponse | None = None
    socket: socketio.AsyncClient = field(factory=lambda: socketio.AsyncClient(reconnection=False))
    pushes: "asyncio.Queue[tuple[str, Json]]" = field(factory=asyncio.Queue)
    answers: "asyncio.Queue[Json]" = field(factory=asyncio.Queue)


class Play:
    """Carries out line after line against a server, and compares the answers and pushes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._users: dict[str, User] = {}
        self._response: tuple[int, Json] | None = None
        self._set_cookies: Sequence[str] = ()
        self._cookies: aiohttp.CookieJar | None = None
        self._values: dict[str, Json] = {}
        self._exits = AsyncExitStack()
        self.shown: dict[str, set[str]] = defaultdict(set)
        """What the examples show: events sent, pushes received, HTTP requests made."""

    async def line(self, text: str) -> None:
        match text.split(" ", 2):
            case [name, "connects"]:
                await self._connect(self._users[name])
            case [name, "opens", path]:
                await self._open(self._users[name], path)
            case [name, "frame>", frame]:
                await self._websocket(name).send_str("".join(self._frame(frame)))
            case [name, "frame<", frame]:
                await self._compare_frame(self._websocket(name), frame)
            case [name, "closed", code]:
                await self._compare_close(self._websocket(name), int(code))
            case ["http>", method, rest]:
                await self._request(None, method, rest)
            case ["http<", status, *rest]:
                self._compare_response(int(status), rest)
            case [name, "http>", rest]:
                await self._request(self._users[name], *rest.split(" ", 1))
            case ["page>", method, rest]:
                await self._request(None, method, rest, of_page=True)
            case [name, "page>", rest]:
                await self._request(self._users[name], *rest.split(" ", 1), of_page=True)
            case ["page<", status, *rest]:
                self._compare_response(int(status), rest)
            case ["page", "cookie<", rest]:
                self._compare_cookie(rest)
            case [name, event, rest] if name.endswith("<<"):
                await self._compare_push(self._users[name[:-2]], event, rest)
            case [name, event, rest] if name.endswith(">"):
                await self._send(self._users[name[:-1]], event, rest)
            case [name, *rest] if name.endswith("<"):
                self._compare(self._value(" ".join(rest)), await self._users[name[:-1]].answers.get())
            case _:
                raise ValueError(f"not a line of an example: {text}")

    async def end(self) -> None:
        await self._exits.aclose()

    async def _connect(self, user: User) -> None:
        async def receive(event: str, data: Json) -> None:
            await user.pushes.put((event, data))

        user.socket = socketio.AsyncClient(reconnection=False)
        user.socket.on("*", receive)
        self._exits.push_async_callback(user.socket.disconnect)
        await user.socket.connect(self._url, auth={"token": user.token})

    async def _send(self, user: User, event: str, rest: str) -> None:
        self.shown["events"].add(event)
        await user.answers.put(await user.socket.call(event, self._value(rest), timeout=TIMEOUT_S))

    async def _compare_push(self, user: User, event: str, rest: str) -> None:
        self.shown["pushes"].add(event)
        pushed, data = await asyncio.wait_for(user.pushes.get(), TIMEOUT_S)
        assert pushed == event, f"{pushed} {data} was pushed, not {event}"
        if event == "ready":
            self._values[f"{data['user']}_socket"] = data["socket"]
        self._compare(self._value(rest), data)

    async def _open(self, user: User, path: str) -> None:
        http = await self._exits.enter_async_context(aiohttp.ClientSession())
        user.frames = await self._exits.enter_async_context(http.ws_connect(f"{self._url}{path}"))

    def _websocket(self, name: str) -> aiohttp.ClientWebSocketResponse:
        websocket = self._users[name].frames
        assert websocket is not None, f"{name} has opened no websocket"
        return websocket

    async def _compare_frame(self, websocket: aiohttp.ClientWebSocketResponse, expected: str) -> None:
        frame = await websocket.receive_str(timeout=TIMEOUT_S)
        while frame == PING:
            await websocket.send_str(PONG)
            frame = await websocket.receive_str(timeout=TIMEOUT_S)
        kind, value = _parts(frame)
        expected_kind, expected_value = _parts(expected)
        assert kind == expected_kind, f"{frame} arrived, not {expected}"
        actual = json.loads(value) if value else None
        for part in actual if isinstance(actual, list) else [actual]:
            self._keep_values(part)
        self._compare(self._value(expected_value) if expected_value else None, actual)

    async def _compare_close(self, websocket: aiohttp.ClientWebSocketResponse, code: int) -> None:
        message = await websocket.receive(timeout=TIMEOUT_S)
        assert message.type is aiohttp.WSMsgType.CLOSE, f"{message} arrived, not the end of the websocket"
        assert message.data == code

    def _frame(self, text: str) -> tuple[str, str]:
        kind, value = _parts(text)
        return kind, json.dumps(self._value(value)) if value else ""

    async def _request(self, user: User | None, method: str, rest: str, *, of_page: bool = False) -> None:
        path, _, body = rest.partition(" ")
        headers = {"Authorization": f"Bearer {user.token}"} if user else {}
        if of_page:
            headers["Origin"] = self._url
            self._cookies = self._cookies or aiohttp.CookieJar(unsafe=True)  # it also keeps cookies of addresses
        content = self._value(body) if body else None
        path = self._fill_text(path)
        self.shown["requests"].add(f"{method} {path.partition('?')[0]}")
        async with (
            aiohttp.ClientSession(cookie_jar=self._cookies if of_page else None) as session,
            session.request(method, f"{self._url}/api/v1{path}", json=content, headers=headers) as response,
        ):
            text = await response.text()
            self._set_cookies = response.headers.getall("Set-Cookie", [])
            self._response = response.status, json.loads(text) if text else None

    def _compare_response(self, expected_status: int, rest: list[str]) -> None:
        assert self._response is not None
        status, answer = self._response
        assert status == expected_status, f"{status} {answer}"
        self._compare(self._value(rest[0]) if rest else None, answer)
        if answer and "access_token" in answer:
            self._users[answer["user"]] = User(answer["access_token"])
            self._values["refresh_token"] = answer.get("refresh_token", "")
            self._values[f"{answer['user']}_token"] = answer["access_token"]

    def _compare_cookie(self, expected: str) -> None:
        """Compare the only ``Set-Cookie`` of the last answer, in which ``*`` stands for a value that is not empty."""
        (cookie,) = self._set_cookies
        assert re.fullmatch(re.escape(expected).replace(r"\*", "[^;]+"), cookie), (
            f"\nexpected {expected}\nactual   {cookie}"
        )

    def _compare(self, expected: Json, actual: Json) -> None:
        self._keep_values(actual)
        expected = self._fill(expected)
        assert _matches(expected, actual), f"\nexpected {json.dumps(expected)}\nactual   {json.dumps(actual)}"

    def _keep_values(self, actual: Json) -> None:
        """Keep the values to which later lines refer by ``$name``."""
        if isinstance(actual, dict):
            if "epoch" in actual:
                self._values["epoch"] = actual["epoch"]
            if actual.get("kind") == "public" and "room" not in self._values:
                self._values["room"] = actual["room"]

    def _value(self, text: str) -> Json:
        return self._fill(json.loads(text))

    def _fill(self, value: Json) -> Json:
        match value:
            case str():
                return self._fill_text(value)
            case dict():
                return {self._fill(name): self._fill(item) for name, item in value.items()}
            case list():
                return [self._fill(item) for item in value]
            case _:
                return value

    def _fill_text(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda match: str(self._values.get(match[1], match[0])), text)


def _parts(frame: str) -> tuple[str, str]:
    """Split a frame into its leading digits (packet types and the acknowledgement's id) and its JSON."""
    json_text = frame.lstrip("0123456789")
    return frame.removesuffix(json_text) if json_text else frame, json_text


def _matches(expected: Json, actual: Json) -> bool:
    """Return whether the values are equal, where ``"*"`` stands for any value."""
    match expected, actual:
        case "*", _:
            return True
        case dict(), dict():
            return expected.keys() == actual.keys() and all(_matches(expected[name], actual[name]) for name in expected)
        case list(), list():
            return len(expected) == len(actual) and all(map(_matches, expected, actual))
        case _:
            return type(expected) is type(actual) and bool(expected == actual)
