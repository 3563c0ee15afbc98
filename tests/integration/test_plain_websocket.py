"""The plain WebSocket, in an aiohttp application and on ASGI servers."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from chatcore import Credentials, Principal, SendMessage, Socket
from chatcore.chat import utc_now
from chatcore_websocket import Timing, websockets
from chatcore_websocket.connection_limits import IDLE_FRAMES_AT_ONCE

from .plain_client import PlainClient
from .socket_hosts import HOSTS, SocketHost, socket_host

pytestmark = pytest.mark.anyio

BY_COOKIE = {"Cookie": "user=bob"}
PROTOCOL = {"code": "protocol", "resumable": False}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=HOSTS)
async def host(request: pytest.FixtureRequest) -> AsyncGenerator[SocketHost]:
    async with socket_host(request.param) as found:
        yield found


async def test_answers_and_pushes_arrive_in_order(host: SocketHost) -> None:
    alice, bob = await host.connect("alice"), await host.connect("bob")
    for number in range(300):
        command = {"to": "bob", "key": f"k{number}", "body": f"{number} 😀"}
        await alice.send({"id": f"n{number}", "event": "message.send", "data": command})
    for client in (alice, bob):
        await client.until(lambda client: len(client.bodies_of("entry")) == 300)
        assert [entry["body"] for entry in client.bodies_of("entry")] == [f"{number} 😀" for number in range(300)]
    await alice.answered("n299")
    answers = [frame for frame in alice.frames if "answer" in frame]
    assert [frame["id"] for frame in answers] == [f"n{number}" for number in range(300)]
    assert [frame["answer"]["seq"] for frame in answers] == list(range(1, 301))
    assert alice.frames[0]["event"] == "ready"
    await alice.close()
    await bob.close()


async def test_command_without_id_gets_no_answer(host: SocketHost) -> None:
    alice = await host.connect()
    await alice.send({"event": "message.send", "data": {"to": "bob", "key": "k", "body": "hi"}})
    await alice.until(lambda client: bool(client.bodies_of("entry")))
    await alice.send({"id": 0, "event": "rooms", "data": {}})
    assert (await alice.answered(0))["ok"]
    assert len([frame for frame in alice.frames if "answer" in frame]) == 1
    await alice.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"token": "nobody"}, "unauthenticated"),
        ({}, "unauthenticated"),
        ({"token": 5}, "invalid"),
        ("alice", "invalid"),
    ],
)
async def test_refused_client_gets_connect_error_and_1008(host: SocketHost, data: object, code: str) -> None:
    client = await host.open()
    await client.send({"event": "connect", "data": data})
    assert await client.closed() == 1008
    (error,) = client.bodies_of("connect_error")
    assert (error["code"], error["temporary"]) == (code, False)


async def test_temporary_failure_at_connect_closes_with_1013(host: SocketHost) -> None:
    client = await host.open()
    await client.send({"event": "connect", "data": {"token": "down"}})
    assert await client.closed() == 1013
    assert client.frames == []


async def test_token_in_url_is_not_read(host: SocketHost) -> None:
    client = await PlainClient.open(host.http, f"{host.url}/ws?token=alice&access_token=alice")
    await client.send({"event": "connect"})
    assert await client.closed() == 1008


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        '{"event": "rooms"',
        '{"event": 5, "data": {}}',
        '{"id": 1, "data": {}}',
        '{"id": true, "event": "rooms", "data": {}}',
        '{"id": 1.5, "event": "rooms", "data": {}}',
        '{"id": null, "event": "rooms", "data": {}}',
        json.dumps({"id": "x" * 65, "event": "rooms", "data": {}}),
        '{"id": 1, "event": "rooms", "data": {}, "more": 1}',
        '{"event": "connect", "data": {"token": "alice"}}',
        "[" * 10_000,
    ],
)
async def test_frame_of_unknown_shape_ends_with_bye_protocol(host: SocketHost, text: str) -> None:
    alice = await host.connect()
    await alice.send(text)
    assert await alice.closed() == 1002
    assert alice.frames[-1] == {"event": "bye", "data": PROTOCOL}


@pytest.mark.parametrize("text", ["x", '{"event": "rooms", "data": {}}', '{"id": 1, "event": "connect"}'])
async def test_first_frame_that_is_no_connect_ends_with_bye_protocol(host: SocketHost, text: str) -> None:
    client = await host.open()
    await client.send(text)
    assert await client.closed() == 1002
    assert client.frames == [{"event": "bye", "data": PROTOCOL}]


@pytest.mark.parametrize(
    "data", ['{"a":1,"a":2}', '{"a":NaN}', '{"a":9007199254740993}', "[" * 40 + "]" * 40, '{"a":"\\ud800"}', '{"a"']
)
async def test_bad_json_behind_an_id_is_answered_invalid(host: SocketHost, data: str) -> None:
    alice = await host.connect()
    for id in (7, "seven", "7" * 64):  # noqa: A001
        await alice.send(f'{{"id": {json.dumps(id)}, "event": "rooms", "data": {data}}}')
        answer = await alice.answered(id)
        assert (answer["ok"], answer["error"]["code"]) == (False, "invalid")
    longest = "8" * 64
    await alice.send({"id": longest, "event": "rooms", "data": {}})
    assert (await alice.answered(longest))["ok"]
    await alice.close()


async def test_data_of_32_levels_is_read_and_deeper_data_is_invalid(host: SocketHost) -> None:
    alice = await host.connect()
    for depth in (32, 33):
        await alice.send(f'{{"id": {depth}, "event": "rooms", "data": {"[" * depth}{"]" * depth}}}')
        error = (await alice.answered(depth))["error"]
        assert ("nested" in error["message"]) == (depth == 33)
    await alice.close()
    for inner in (31, 32):
        client = await host.open()
        deep = f'{{"token": "alice", "more": {"[" * inner}{"]" * inner}}}'
        await client.send(f'{{"event": "connect", "data": {deep}}}')
        await client.until(lambda client: bool(client.frames))
        assert client.frames[0]["event"] == ("ready" if inner == 31 else "bye")
        await client.close()


@pytest.mark.parametrize("data", [5, [], "x", None, {"unknown": 1}])
async def test_wrong_fields_are_answered_invalid(host: SocketHost, data: object) -> None:
    alice = await host.connect()
    assert (await alice.call("rooms", data))["error"]["code"] == "invalid"
    assert (await alice.call("nonsense", data))["error"]["code"] == "invalid"
    await alice.close()


async def test_frame_above_64_kib_is_answered_too_large(host: SocketHost) -> None:
    alice = await host.connect()
    for size in (65_536, 1_000_000):
        answer = await alice.call("message.send", {"to": "bob", "key": "k", "body": "x" * size})
        assert answer["error"]["code"] == "too_large"
    assert (await alice.call("rooms", {}))["ok"]
    await alice.close()


@pytest.mark.parametrize("character", ["x", "😀"])
async def test_frame_of_64_kib_in_utf_8_is_read_whole_and_a_larger_one_is_not(host: SocketHost, character: str) -> None:
    alice = await host.connect()
    for number, (more, code) in enumerate([(-1, "invalid"), (0, "invalid"), (1, "too_large")]):
        start, end = f'{{"id": {number}, "event": "rooms", "data": {{"a": "', '"}}'
        size = 64 * 1024 + more - len(start) - len(end)
        characters, rest = divmod(size, len(character.encode()))
        await alice.send(f"{start}{character * characters}{'x' * rest}{end}")
        assert (await alice.answered(number))["error"]["code"] == code
    await alice.close()


@pytest.mark.parametrize(
    ("connects", "text"),
    [
        (True, '{"event": "rooms", "id": 1, "data": {"a": "%s"}}' % ("x" * 70_000)),
        (True, '{"id": 1, "event": "rooms", "data": {"a": "%s"}}' % ("x" * 1_100_000)),
        (False, '{"event": "connect", "data": {"token": "%s"}}' % ("x" * 70_000)),
    ],
    ids=["without id in front", "above 1 MiB", "before connect"],
)
async def test_larger_frame_is_closed_with_1009(host: SocketHost, connects: bool, text: str) -> None:
    client = await host.open()
    if connects:
        await client.connect()
    await client.send(text)
    assert await client.closed() == 1009


@pytest.mark.parametrize("connects", [True, False])
async def test_binary_frame_ends_with_bye_protocol(host: SocketHost, connects: bool) -> None:
    client = await host.open()
    if connects:
        await client.connect()
    await client.websocket.send_bytes(b'{"event":"connect"}')
    assert await client.closed() == 1002
    assert client.frames[-1] == {"event": "bye", "data": PROTOCOL}


async def test_flood_of_commands_is_slowed_and_answered_in_order(host: SocketHost) -> None:
    alice = await host.connect()
    for number in range(2_000):
        await alice.send({"id": number, "event": "nonsense", "data": {}})
    await alice.answered(1_999)
    assert [frame["id"] for frame in alice.frames if "id" in frame] == list(range(2_000))
    await alice.close()


async def test_commands_sent_before_the_client_left_are_carried_out(host: SocketHost) -> None:
    alice, bob = await host.connect("alice"), await host.connect("bob")
    for number in range(100):
        await alice.send({"event": "message.send", "data": {"to": "bob", "key": f"k{number}", "body": f"{number}"}})
    await alice.close()
    await bob.until(lambda client: len(client.bodies_of("entry")) == 100)
    await bob.close()


async def test_websocket_of_page_that_is_not_admitted_is_403(host: SocketHost) -> None:
    for path in ("/ws", "/socket.io/?EIO=4&transport=websocket"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await host.http.ws_connect(host.url + path, headers={"Origin": "https://evil.example", **BY_COOKIE})
        assert refused.value.status == 403


@pytest.mark.parametrize("origin", ["https://page.example", "own"])
async def test_cookie_with_admitted_origin_connects(host: SocketHost, origin: str) -> None:
    origin = host.url.removesuffix("/chat") if origin == "own" else origin
    client = await (await host.open(Origin=origin, Cookie="user=bob")).connect(None)
    assert client.bodies_of("ready")[0]["user"] == "bob"
    await client.close()
    raw = await (await host.clients.open(Origin=origin, Cookie="user=bob")).connect(None)
    assert raw.ready["user"] == "bob"


@pytest.mark.parametrize(
    ("cookies", "message"), [("user=bob; user=alice", "two cookies of one name"), ("user", "malformed cookie")]
)
async def test_refusal_of_unclear_cookies_says_what_to_do(host: SocketHost, cookies: str, message: str) -> None:
    client = await host.open(Origin="https://page.example", Cookie=cookies)
    await client.send({"event": "connect"})
    assert await client.closed() == 1008
    (error,) = client.bodies_of("connect_error")
    assert error["code"] == "unauthenticated"
    assert message in error["message"]


async def test_several_authorization_headers_are_refused(host: SocketHost) -> None:
    headers = [("Authorization", "Bearer alice"), ("Authorization", "Bearer bob")]
    client = PlainClient(await host.http.ws_connect(f"{host.url}/ws", headers=headers))
    await client.send({"event": "connect"})
    assert await client.closed() == 1008
    assert "several Authorization headers; send one" in client.bodies_of("connect_error")[0]["message"]


@pytest.mark.parametrize("kind", HOSTS)
async def test_authenticate_that_is_not_async_is_logged_with_what_to_do(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def is_not_async(_: Credentials) -> Any:
        return Principal("alice")

    async with socket_host(kind, is_not_async) as host:
        client = await host.open()
        await client.send({"event": "connect", "data": {"token": "alice"}})
        assert await client.closed() == 1013
        raw = await host.clients.open()
        await raw.send('40{"token":"alice"}')
        assert (await raw.closed()) == 1013
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("chatcore")]
    assert "reason=authenticate is not async remedy=write `async def authenticate(credentials)`" in line


async def test_cookie_without_origin_is_refused(host: SocketHost) -> None:
    client = await host.open(Cookie="user=bob")
    await client.send({"event": "connect"})
    assert await client.closed() == 1008
    assert client.bodies_of("connect_error")[0]["code"] == "forbidden"
    raw = await host.clients.open(Cookie="user=bob")
    await raw.send("40")
    assert json.loads((await raw.text("44"))[2:])["data"]["code"] == "forbidden"
    by_token = await (await host.open(Cookie="user=bob")).connect("alice")
    assert by_token.bodies_of("ready")[0]["user"] == "alice"
    await by_token.close()


@pytest.mark.parametrize("kind", HOSTS)
async def test_refresh_without_token_asks_again_with_the_cookies_of_the_handshake(kind: str) -> None:
    sessions = {"s1": Principal("bob", session="s1", expires_at=utc_now() + timedelta(seconds=90))}

    async def by_cookie_only(credentials: Credentials) -> Principal | None:
        return sessions.get(credentials.cookies.get("session", ""))

    async with socket_host(kind, by_cookie_only) as host:
        plain = await (await host.open(Origin="https://page.example", Cookie="session=s1")).connect(None)
        raw = await (await host.clients.open(Origin="https://page.example", Cookie="session=s1")).connect(None)
        for client in (plain, raw):
            assert 80 < (await client.call("auth.refresh", {}))["expires_in"] <= 90
            refused = await client.call("auth.refresh", {"token": "rubbish"})
            assert refused["error"]["code"] == "unauthenticated"
        del sessions["s1"]
        for client in (plain, raw):
            assert (await client.call("auth.refresh", {}))["error"]["code"] == "unauthenticated"
            assert (await client.call("rooms", {}))["ok"]


async def test_refresh_without_token_is_invalid_on_socket_opened_with_one(host: SocketHost) -> None:
    by_token = await (await host.open(Cookie="user=alice", Origin="https://page.example")).connect("alice")
    refused = await by_token.call("auth.refresh", {})
    assert (refused["error"]["code"], refused["error"]["field"]) == ("invalid", "token")
    assert (await by_token.call("auth.refresh", {"token": "alice"}))["ok"]


@pytest.mark.parametrize("path", ["/nowhere", "/ws/", "/ws/more"])
async def test_websocket_at_unknown_path_is_404(host: SocketHost, path: str) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await host.http.ws_connect(host.url + path)
    assert refused.value.status == 404


async def test_request_without_upgrade_is_400(host: SocketHost) -> None:
    async with host.http.get(f"{host.url}/ws") as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "invalid")
    for method in ("POST", "DELETE"):
        async with host.http.request(method, f"{host.url}/ws") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_pushes_are_the_same_as_over_socketio(host: SocketHost) -> None:
    plain_bob, raw = await host.connect("bob"), await host.clients.connect("bob")
    await host.chat.execute("alice", SendMessage(to="bob", body="é", key="k"))
    await plain_bob.until(lambda client: bool(client.bodies_of("entry")))
    await raw.until(lambda client: bool(client.bodies_of("entry")))
    for event in ("room", "entry"):
        assert plain_bob.bodies_of(event) == raw.bodies_of(event)
    await plain_bob.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients have half a second to connect, and a heartbeat of tenths of seconds."""
    timing = partial(Timing, ping_interval=0.2, ping_timeout=0.4, connect_timeout=0.5)
    monkeypatch.setattr(websockets, "Timing", timing)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", HOSTS)
async def test_client_without_connect_frame_is_closed_with_1008_at_the_deadline(kind: str) -> None:
    async with socket_host(kind) as host:
        client = await host.open()
        assert await client.closed() == 1008
        assert client.frames == []


@pytest.mark.usefixtures("quick")
async def test_client_that_answers_no_pings_is_closed_with_1001() -> None:
    async with socket_host("aiohttp") as host:
        alive = await host.connect()
        websocket = await host.http.ws_connect(f"{host.url}/ws", autoping=False)
        client = await PlainClient(websocket).connect("bob")
        assert await client.closed() == 1001
        assert (await alive.call("rooms", {}))["ok"]
        await alive.close()


async def test_flood_of_websocket_pings_ends_with_bye_protocol() -> None:
    async with socket_host("aiohttp") as host:
        client = await host.connect()
        for _ in range(IDLE_FRAMES_AT_ONCE + 100):
            await client.websocket.ping()
        assert await client.closed() == 1002
        assert client.frames[-1] == {"event": "bye", "data": PROTOCOL}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", HOSTS)
async def test_client_whose_commands_are_stuck_is_cut_with_bye_slow(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async with socket_host(kind) as host:
        client = await host.connect()
        monkeypatch.setattr(Socket, "receive", hang)
        for number in range(400):
            await client.send({"id": number, "event": "rooms", "data": {}})
        assert await client.closed() == 1013
        assert client.bodies_of("bye") == [{"code": "slow", "resumable": True}]
