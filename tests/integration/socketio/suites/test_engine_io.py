"""The cases of the official Engine.IO suite. ``cases.BY_DESIGN`` has the cases in which this server differs."""

import json
from collections.abc import AsyncGenerator
from functools import partial

import pytest
from aiohttp import WSServerHandshakeError

from ...clients import RawClient
from .echo import PATIENT, STRICT, Echo, engine_echo, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def echo() -> AsyncGenerator[Echo]:
    async with engine_echo(PATIENT) as served:
        yield served


@pytest.fixture
async def strict() -> AsyncGenerator[Echo]:
    """A server with deadlines short enough for a test."""
    async with engine_echo(STRICT) as served:
        yield served


async def status_of_websocket(echo: Echo, query: dict[str, str]) -> int:
    """Return the status with which the handshake of a websocket is refused."""
    with pytest.raises(WSServerHandshakeError) as refused:
        await echo.clients.http.ws_connect(echo.clients.url, params=query)
    return refused.value.status


def heard_pings(count: int, client: RawClient) -> bool:
    return client.texts[1:] == ["2"] * count


class TestHandshakeHTTPLongPolling:
    async def test_successfully_opens_a_session(self, strict: Echo) -> None:
        status, packet = await strict.request("GET", {"EIO": "4", "transport": "polling"})
        assert status == 200
        assert opened(packet)["upgrades"] == ["websocket"]

    async def test_fails_with_an_invalid_eio_query_parameter(self, echo: Echo) -> None:
        for query in ({}, {"EIO": "abc"}):
            assert (await echo.request("GET", {"transport": "polling", **query}))[0] == 400

    async def test_fails_with_an_invalid_transport_query_parameter(self, echo: Echo) -> None:
        for query in ({}, {"transport": "abc"}):
            assert (await echo.request("GET", {"EIO": "4", **query}))[0] == 400

    async def test_fails_with_an_invalid_request_method(self, echo: Echo) -> None:
        query = {"EIO": "4", "transport": "polling"}
        assert (await echo.request("POST", query))[0] == 400
        assert (await echo.request("PUT", query))[0] == 405


class TestHandshakeWebSocket:
    async def test_successfully_opens_a_session(self, strict: Echo) -> None:
        client = await strict.clients.open()
        assert opened(await client.text("0"))["upgrades"] == []

    async def test_fails_with_an_invalid_eio_query_parameter(self, echo: Echo) -> None:
        for query in ({}, {"EIO": "abc"}):
            assert await status_of_websocket(echo, {"transport": "websocket", **query}) == 400

    async def test_fails_with_an_invalid_transport_query_parameter(self, echo: Echo) -> None:
        for query in ({}, {"transport": "abc"}):
            assert await status_of_websocket(echo, {"EIO": "4", **query}) == 400


class TestMessageHTTPLongPolling:
    async def test_sends_and_receives_a_payload_containing_one_plain_text_packet(self, echo: Echo) -> None:
        await self._a_payload_is_refused(echo, "4hello")

    async def test_sends_and_receives_a_payload_containing_several_plain_text_packets(self, echo: Echo) -> None:
        await self._a_payload_is_refused(echo, "4one\x1e4two\x1e4three")

    async def test_sends_and_receives_a_payload_containing_plain_text_and_binary_packets(self, echo: Echo) -> None:
        await self._a_payload_is_refused(echo, "4hello\x1ebAQIDBA==")

    async def test_closes_the_session_upon_invalid_packet_format(self, echo: Echo) -> None:
        await self._a_payload_is_refused(echo, "abc")

    async def test_closes_the_session_upon_duplicate_poll_requests(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        hanging = await echo.start_poll(sid)
        assert (await echo.poll(sid))[0] == 400
        assert await hanging == (200, "1")
        assert (await echo.poll(sid))[0] == 400

    async def _a_payload_is_refused(self, echo: Echo, payload: str) -> None:
        sid = await echo.open_polling()
        assert (await echo.post(sid, payload))[0] == 400
        assert (await echo.poll(sid))[0] == 400  # the session has ended


class TestMessageWebSocket:
    async def test_sends_and_receives_a_plain_text_packet(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.send("4hello")
        assert await client.text("4") == "4hello"

    async def test_sends_and_receives_a_binary_packet(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.websocket.send_bytes(bytes([1, 2, 3, 4]))
        assert await client.closed() == 1002
        assert client.bodies_of("bye") == [{"code": "protocol", "resumable": False}]

    async def test_closes_the_session_upon_invalid_packet_format(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.send("abc")
        assert await client.closed() == 1002


class TestHeartbeatHTTPLongPolling:
    async def test_sends_ping_pong_packets(self, strict: Echo) -> None:
        sid = await strict.open_polling()
        status, packet = await strict.poll(sid)
        assert (status, json.loads(packet)["code"]) == (
            503,
            "unavailable",
        )  # lasts until the deadline of the upgrade; no PING comes before
        assert (await strict.post(sid, "3"))[0] == 400

    async def test_closes_the_session_upon_ping_timeout(self, strict: Echo) -> None:
        sid = await strict.open_polling()
        await strict.until(lambda: strict.server.polling_sessions == 0)  # the deadline of the upgrade has passed
        assert (await strict.poll(sid))[0] == 400


class TestHeartbeatWebSocket:
    async def test_sends_ping_pong_packets(self, echo: Echo) -> None:
        client = await echo.clients.open(answers_pings=False)
        for count in range(1, 4):
            await client.until(partial(heard_pings, count))
            await client.send("3")

    async def test_closes_the_session_upon_ping_timeout(self, strict: Echo) -> None:
        client = await strict.clients.open(answers_pings=False)
        assert await client.closed() in (1001, 1008)  # 1008 where Socket.IO waited for CONNECT


class TestCloseHTTPLongPolling:
    async def test_forcefully_closes_the_session(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        hanging = await echo.start_poll(sid)
        assert await echo.post(sid, "1") == (200, "ok")
        assert await hanging == (200, "6")
        assert (await echo.poll(sid))[0] == 400


class TestCloseWebSocket:
    async def test_forcefully_closes_the_session(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.send("1")
        assert await client.closed() == 1000


class TestUpgrade:
    async def test_successfully_upgrades_from_http_long_polling_to_websocket(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        client = await echo.upgrade(sid)
        assert await echo.poll(sid) == (200, "6")
        await client.send("5", "4hello")
        assert await client.text("4") == "4hello"

    async def test_ignores_http_requests_with_same_sid_after_upgrade(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        client = await echo.upgrade(sid)
        await client.send("5", "4one")
        await client.text("4one")
        assert (await echo.poll(sid))[0] == 400
        await client.send("4two")
        await client.text("4two")

    async def test_ignores_websocket_connection_with_same_sid_after_upgrade(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        client = await echo.upgrade(sid)
        await client.send("5", "4one")
        await client.text("4one")
        assert await status_of_websocket(echo, {"EIO": "4", "transport": "websocket", "sid": sid}) == 400
        await client.send("4two")
        await client.text("4two")
