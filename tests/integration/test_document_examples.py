"""Every example in the documents is carried out over a real server, which gives the answer that the example shows."""

import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from attrs import frozen

from chatcore.protocol.examples import PUSH_EXAMPLES, TOKEN
from tests.integration.document_examples import USERS, Server, Socket, Values, compare, frame_parts
from tests.integration.serving import serving

pytestmark = pytest.mark.anyio

Json: TypeAlias = Any
METHODS = ("get", "post", "put", "patch", "delete")
JSON, PROBLEM = "application/json", "application/problem+json"
SHORT_LIVED = {"CHATCORE_ACCESS_TOKEN_S": "30"}

_FIGURE = re.compile(
    r'<figure class="([\w-]+)" data-step="(\d+)"><figcaption>(.*?)</figcaption>(.*?)</figure>', re.DOTALL
)
_PRE = re.compile(r'<pre class="(\w+)" tabindex="0"><code>(.*?)</code></pre>', re.DOTALL)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@frozen
class Step:
    """An example: what a user sends, and the answer. Over a socket both are frames."""

    number: str
    user: str | None
    sent: Any
    answer: Any


@frozen
class Request:
    method: str
    path: str
    body: Json


@frozen
class Response:
    status: int
    body: Json


@asynccontextmanager
async def story(folder: Path, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Server]:
    async with serving(folder, "--store", "memory", environment=environment) as server, aiohttp.ClientSession() as http:
        yield Server(server.url, http)


async def document(server: Server, path: str) -> Json:
    async with server.http.get(server.url + path) as answer:
        assert answer.status == 200
        return await answer.json() if answer.content_type == JSON else await answer.text()


# What the page shows.


def figures(page: str, *transports: str) -> Sequence[tuple[str, str | None, str, str]]:
    """Return the steps of the page: the number, the user, and the texts that are sent and received."""
    found: list[tuple[str, str | None, str, str]] = []
    for transport, number, caption, body in _FIGURE.findall(page):
        if transport in transports:
            user = re.search(r"<b>(\w+)</b>", caption)
            texts = {kind: unescape(re.sub(r"</?[iq]>", "", text)) for kind, text in _PRE.findall(body)}
            found.append((number, user and user[1], texts["sent"], texts["received"]))
    return sorted(found)


def requests_of_page(page: str) -> Iterator[Step]:
    for number, user, sent, received in figures(page, "http", "http-alone"):
        head, _, body = sent.partition("\n\n")
        method, path = head.split("\n")[0].split(" ", 1)
        assert ("Authorization: Bearer" in head) == (user is not None)
        assert ("Content-Type: application/json" in head) == bool(body)
        status, _, answer = received.partition("\n\n")
        request = Request(method, path.removeprefix("/api/v1"), json.loads(body) if body else None)
        yield Step(number, user, request, Response(int(status), json.loads(answer) if answer else None))


def frames_of_page(page: str, transport: str) -> Iterator[Step]:
    for number, user, sent, received in figures(page, transport):
        yield Step(number, user, sent, received)


# What the OpenAPI and AsyncAPI documents show.


def requests_of_openapi(openapi: Json) -> Iterator[Step]:
    found: dict[str, Step] = {}
    for path, item in openapi["paths"].items():
        for method in METHODS:
            operation = item.get(method, {}) if "servers" not in item else {}
            for number, user, response in responses(operation):
                found[number] = Step(number, user, request_of(number, method, path, operation), response)
    yield from (found[number] for number in sorted(found))


def responses(operation: Json) -> Iterator[tuple[str, str | None, Response]]:
    for status, response in operation.get("responses", {}).items():
        for content in response.get("content", {}).values():
            for number, example in content.get("examples", {}).items():
                user = example["summary"].partition(":")[0]
                yield number, user if user in USERS else None, Response(int(status), example["value"])


def request_of(number: str, method: str, path: str, operation: Json) -> Request:
    query: dict[str, Json] = {}
    for parameter in operation.get("parameters", ()):
        if number not in parameter.get("examples", {}):
            assert not parameter["required"]
            continue
        value = parameter["examples"][number]["value"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(value), safe=""))
        else:
            query[parameter["name"]] = value
    bodies = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("examples", {})
    body = bodies.get(number, {}).get("value")
    return Request(method.upper(), f"{path}?{urlencode(query, doseq=True)}" if query else path, body)


def frames_of_asyncapi(asyncapi: Json, channel: str) -> Iterator[Step]:
    messages = asyncapi["components"]["messages"]
    found: dict[str, Step] = {}
    for name, message in messages.items():
        for example in message.get("examples", ()) if f"{name}.answer" in messages else ():
            number = example["name"]
            answers = [
                other["payload"]
                for kind in ("answer", "error")
                for other in messages[f"{name}.{kind}"].get("examples", ())
                if other["name"] == number
            ]
            if not name.startswith(f"{channel}."):
                continue
            (answer,) = answers
            sent = example["payload"]
            if channel == "socketio":
                sent = f"421{json.dumps([name.partition('.')[2], sent])}"
                answer = f"431{json.dumps([answer])}"
            else:
                sent, answer = json.dumps(sent), json.dumps(answer)
            found[number] = Step(number, example["summary"], sent, answer)
    yield from (found[number] for number in sorted(found))


# The story, carried out.


async def carry_out_requests(server: Server, steps: Sequence[Step]) -> None:
    values = Values()
    await server.sign_up("bob", "carol")
    await server.sign_in("bob", "carol")
    opened: list[Socket] = []
    for step in steps:
        if step.sent.path == "/sockets":
            opened.append(await Socket.connect(server, "alice", is_plain=True))
        if step.sent.path.startswith("/presence"):
            opened.append(await Socket.connect(server, "bob", is_plain=True))
        path, body = values.fill_path(step.sent.path), values.fill(step.sent.body)
        status, answer = await server.request(step.user, step.sent.method, path, body)
        assert status == step.answer.status, f"{step.sent}: {status} {answer}"
        compare(values, step.answer.body, answer)
        if answer and "access_token" in answer:
            server.tokens[answer["user"]] = answer["access_token"]


async def carry_out_frames(server: Server, steps: Sequence[Step], *, is_plain: bool) -> Mapping[str, Socket]:
    values = Values()
    await server.sign_up(*USERS)
    await server.sign_in(*USERS)
    values.by_shown[TOKEN] = server.tokens["alice"]
    sockets = {user: await Socket.connect(server, user, is_plain=is_plain) for user in USERS}
    for step in steps:
        sent = step.sent if is_plain else "".join(write(values, step.sent))
        if is_plain:
            sent = json.dumps(values.fill(json.loads(sent)))
        answer = await sockets[step.user or ""].call(sent)
        if is_plain:
            compare(values, json.loads(step.answer), json.loads(answer))
        else:
            kind, shown = frame_parts(step.answer)
            actual_kind, actual = frame_parts(answer)
            assert actual_kind == kind
            compare(values, shown, actual)
    return sockets


def write(values: Values, frame: str) -> tuple[str, str]:
    kind, value = frame_parts(frame)
    return kind, json.dumps(values.fill(value))


async def check_pushes(server: Server, sockets: Mapping[str, Socket]) -> None:
    """Check that each example of a push was pushed in the story."""
    for user, socket in sockets.items():
        await socket.call('{"id": 1, "event": "unread", "data": {}}' if socket.is_plain else '421["unread", {}]')
        assert socket.pushes, user
    if not any(event == "presence" for event, _ in sockets["alice"].pushes):
        await sockets["alice"].until("presence")  # changes are collected for a moment
    ready = next(body for event, body in sockets["alice"].pushes if event == "ready")
    status, _ = await server.request("alice", "DELETE", f"/sockets/{ready['socket']}", None)
    assert status == 204
    await sockets["alice"].until("bye")
    pushed = [push for socket in sockets.values() for push in socket.pushes]
    for event, shown in PUSH_EXAMPLES.items():
        assert event == "auth.expiring" or any(
            name == event and Values().matches(shown, body) for name, body in pushed
        ), f"no push is {event} {shown}; there were {[body for name, body in pushed if name == event]}"


async def test_requests_of_page_are_answered_as_shown(tmp_path: Path) -> None:
    async with story(tmp_path) as server:
        steps = list(requests_of_page(await document(server, "/docs")))
        await carry_out_requests(server, steps)


async def test_requests_of_openapi_document_are_answered_as_shown(tmp_path: Path) -> None:
    async with story(tmp_path) as server:
        shown = list(requests_of_page(await document(server, "/docs")))
        openapi = await document(server, "/openapi.json")
        steps = list(requests_of_openapi(openapi))
        without_answer = [step for step in shown if step.answer.body is None]
        assert {step.number for step in steps} == {step.number for step in shown} - {s.number for s in without_answer}
        # Answers without a body have no example in the document. Their requests are those of the page.
        await carry_out_requests(server, sorted([*steps, *without_answer], key=lambda step: step.number))


@pytest.mark.parametrize("transport", ["socketio", "websocket"])
async def test_frames_of_page_are_answered_as_shown(tmp_path: Path, transport: str) -> None:
    async with story(tmp_path) as server:
        steps = list(frames_of_page(await document(server, "/docs"), transport))
        assert len(steps) > 20
        await carry_out_frames(server, steps, is_plain=transport == "websocket")


@pytest.mark.parametrize("channel", ["socketio", "websocket"])
async def test_messages_of_asyncapi_document_are_answered_as_shown(tmp_path: Path, channel: str) -> None:
    async with story(tmp_path) as server:
        asyncapi = await document(server, "/asyncapi.json")
        steps = list(frames_of_asyncapi(asyncapi, channel))
        assert {step.number for step in steps} == {
            number for number, *_ in figures(await document(server, "/docs"), channel)
        }
        sockets = await carry_out_frames(server, steps, is_plain=channel == "websocket")
        await check_pushes(server, sockets)


async def test_push_before_end_of_token_is_as_shown(tmp_path: Path) -> None:
    async with story(tmp_path, SHORT_LIVED) as server:
        await server.sign_up("alice")
        await server.sign_in("alice")
        socket = await Socket.connect(server, "alice", is_plain=True)
        compare(Values(), PUSH_EXAMPLES["auth.expiring"], await socket.until("auth.expiring"))
