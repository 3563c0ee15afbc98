"""Plays the examples of docs/protocol.md over a real server."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import socketio
from attrs import define, field

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
PATIENCE_S = 10

Json: TypeAlias = Any


def examples(setting: str = "") -> Iterator[str]:
    """The lines of all examples, in order, for a server with a setting that the page names beside them."""
    fence = f"^```example{f' {setting}' if setting else ''}\n(.*?)^```$"
    for block in re.findall(fence, PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        yield from block.splitlines()


@define(eq=False)
class Person:
    """Somebody in the examples: their token, their socket, what it was pushed and not yet shown."""

    token: str
    socket: socketio.AsyncClient = field(factory=lambda: socketio.AsyncClient(reconnection=False))
    pushed: "asyncio.Queue[tuple[str, Json]]" = field(factory=asyncio.Queue)
    answers: "asyncio.Queue[Json]" = field(factory=asyncio.Queue)


class Play:
    """Carries out one line after the other against a server, and compares what comes back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._people: dict[str, Person] = {}
        self._http: tuple[int, Json] | None = None
        self._values: dict[str, Json] = {}
        self.shown: dict[str, set[str]] = defaultdict(set)
        """What the examples have shown: events sent, pushes heard, HTTP requests made."""

    async def line(self, text: str) -> None:
        match text.split(" ", 2):
            case [who, "connects"]:
                await self._connect(self._people[who])
            case ["http>", method, rest]:
                await self._request(None, method, rest)
            case ["http<", status, *rest]:
                self._compare_http(int(status), rest)
            case [who, "http>", rest]:
                await self._request(self._people[who], *rest.split(" ", 1))
            case [who, event, rest] if who.endswith("<<"):
                await self._compare_push(self._people[who[:-2]], event, rest)
            case [who, event, rest] if who.endswith(">"):
                await self._send(self._people[who[:-1]], event, rest)
            case [who, *rest] if who.endswith("<"):
                self._compare(self._value(" ".join(rest)), await self._people[who[:-1]].answers.get())
            case _:
                raise ValueError(f"not a line of an example: {text}")

    async def end(self) -> None:
        for person in self._people.values():
            await person.socket.disconnect()

    async def _connect(self, person: Person) -> None:
        async def heard(event: str, data: Json) -> None:
            await person.pushed.put((event, data))

        person.socket.on("*", heard)
        await person.socket.connect(self._url, auth={"token": person.token})

    async def _send(self, person: Person, event: str, rest: str) -> None:
        self.shown["events"].add(event)
        await person.answers.put(await person.socket.call(event, self._value(rest), timeout=PATIENCE_S))

    async def _compare_push(self, person: Person, event: str, rest: str) -> None:
        self.shown["pushes"].add(event)
        came, data = await asyncio.wait_for(person.pushed.get(), PATIENCE_S)
        assert came == event, f"{came} {data} was pushed, not {event}"
        if event == "ready":
            self._values[f"{data['user']}_socket"] = data["socket"]
        self._compare(self._value(rest), data)

    async def _request(self, person: Person | None, method: str, rest: str) -> None:
        path, _, body = rest.partition(" ")
        headers = {"Authorization": f"Bearer {person.token}"} if person else {}
        sent = self._value(body) if body else None
        path = self._named(path)
        self.shown["requests"].add(f"{method} {path.partition('?')[0]}")
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self._url}/api/v1{path}", json=sent, headers=headers) as answer,
        ):
            text = await answer.text()
            self._http = answer.status, json.loads(text) if text else None

    def _compare_http(self, status: int, rest: list[str]) -> None:
        assert self._http is not None
        came, answer = self._http
        assert came == status, f"{came} {answer}"
        self._compare(self._value(rest[0]) if rest else None, answer)
        if answer and "access_token" in answer:
            self._people[answer["user"]] = Person(answer["access_token"])
            self._values["refresh_token"] = answer["refresh_token"]
            self._values[f"{answer['user']}_token"] = answer["access_token"]

    def _compare(self, expected: Json, found: Json) -> None:
        if isinstance(found, dict):
            if "epoch" in found:
                self._values["epoch"] = found["epoch"]
            if found.get("kind") == "public" and "room" not in self._values:
                self._values["room"] = found["room"]
        expected = self._filled(expected)
        assert _matches(expected, found), f"\nexpected {json.dumps(expected)}\nfound    {json.dumps(found)}"

    def _value(self, text: str) -> Json:
        return self._filled(json.loads(text))

    def _filled(self, value: Json) -> Json:
        match value:
            case str():
                return self._named(value)
            case dict():
                return {self._filled(name): self._filled(one) for name, one in value.items()}
            case list():
                return [self._filled(one) for one in value]
            case _:
                return value

    def _named(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: str(self._values.get(found[1], found[0])), text)


def _matches(expected: Json, found: Json) -> bool:
    """Equal, where ``"*"`` stands for anything."""
    match expected, found:
        case "*", _:
            return True
        case dict(), dict():
            return expected.keys() == found.keys() and all(_matches(expected[name], found[name]) for name in expected)
        case list(), list():
            return len(expected) == len(found) and all(map(_matches, expected, found))
        case _:
            return type(expected) is type(found) and bool(expected == found)
