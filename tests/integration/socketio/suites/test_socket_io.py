"""The cases of the official Socket.IO suite. ``cases.BY_DESIGN`` has the cases in which this server differs."""

import json
from collections.abc import AsyncGenerator

import pytest

from ...clients import RawClient
from . import test_engine_io as engine_io
from .echo import PATIENT, STRICT, Echo, socket_echo

pytestmark = pytest.mark.anyio


@pytest.fixture
async def echo() -> AsyncGenerator[Echo]:
    async with socket_echo(PATIENT) as served:
        yield served


@pytest.fixture
async def strict() -> AsyncGenerator[Echo]:
    """A server with deadlines short enough for a test."""
    async with socket_echo(STRICT) as served:
        yield served


async def connected(echo: Echo, client: RawClient | None = None) -> RawClient:
    """A client of the main namespace."""
    client = client or await echo.clients.open()
    await client.send("40")
    await client.text('42["auth"')
    return client


async def ends_with_bye_protocol(client: RawClient) -> None:
    assert await client.closed() == 1002
    assert client.bodies_of("bye") == [{"code": "protocol", "resumable": False}]


# The groups of the Engine.IO suite: the same checks on a Socket.IO server.


class TestEngineIOHandshakeHTTPLongPolling:
    _cases = engine_io.TestHandshakeHTTPLongPolling
    test_should_successfully_open_a_session = _cases.test_successfully_opens_a_session
    test_should_fail_with_an_invalid_eio_query_parameter = _cases.test_fails_with_an_invalid_eio_query_parameter
    test_should_fail_with_an_invalid_transport_query_parameter = (
        _cases.test_fails_with_an_invalid_transport_query_parameter
    )
    test_should_fail_with_an_invalid_request_method = _cases.test_fails_with_an_invalid_request_method


class TestEngineIOHandshakeWebSocket:
    _cases = engine_io.TestHandshakeWebSocket
    test_should_successfully_open_a_session = _cases.test_successfully_opens_a_session
    test_should_fail_with_an_invalid_eio_query_parameter = _cases.test_fails_with_an_invalid_eio_query_parameter
    test_should_fail_with_an_invalid_transport_query_parameter = (
        _cases.test_fails_with_an_invalid_transport_query_parameter
    )


class TestEngineIOHeartbeatHTTPLongPolling:
    _cases = engine_io.TestHeartbeatHTTPLongPolling
    test_should_send_ping_pong_packets = _cases.test_sends_ping_pong_packets
    test_should_close_the_session_upon_ping_timeout = _cases.test_closes_the_session_upon_ping_timeout


class TestEngineIOHeartbeatWebSocket:
    _cases = engine_io.TestHeartbeatWebSocket
    test_should_send_ping_pong_packets = _cases.test_sends_ping_pong_packets
    test_should_close_the_session_upon_ping_timeout = _cases.test_closes_the_session_upon_ping_timeout


class TestEngineIOCloseHTTPLongPolling:
    test_should_forcefully_close_the_session = engine_io.TestCloseHTTPLongPolling.test_forcefully_closes_the_session


class TestEngineIOCloseWebSocket:
    test_should_forcefully_close_the_session = engine_io.TestCloseWebSocket.test_forcefully_closes_the_session


class TestEngineIOUpgrade:
    async def test_should_successfully_upgrade_from_http_long_polling_to_websocket(self, echo: Echo) -> None:
        await self._upgraded(echo, await echo.open_polling())

    async def test_should_ignore_http_requests_with_same_sid_after_upgrade(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        await self._upgraded(echo, sid)
        assert (await echo.poll(sid))[0] == 400

    async def test_should_ignore_websocket_connection_with_same_sid_after_upgrade(self, echo: Echo) -> None:
        sid = await echo.open_polling()
        await self._upgraded(echo, sid)
        query = {"EIO": "4", "transport": "websocket", "sid": sid}
        assert await engine_io.status_of_websocket(echo, query) == 400

    async def _upgraded(self, echo: Echo, sid: str) -> RawClient:
        client = await echo.upgrade(sid)
        await client.send("5")
        return await connected(echo, client)


class TestConnect:
    async def test_should_allow_connection_to_the_main_namespace(self, echo: Echo) -> None:
        client = await connected(echo)
        _, answer, auth = client.texts
        assert answer.startswith('40{"sid":"')
        assert json.loads(answer[2:]).keys() == {"sid"}
        assert auth == '42["auth",{}]'

    async def test_should_allow_connection_to_the_main_namespace_with_a_payload(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.send('40{"token":"123"}')
        await client.text('40{"sid":"')
        assert await client.text("42") == '42["auth",{"token":"123"}]'

    async def test_should_allow_connection_to_a_custom_namespace(self, echo: Echo) -> None:
        await self._a_namespace_is_refused(echo, "40/custom,")

    async def test_should_allow_connection_to_a_custom_namespace_with_a_payload(self, echo: Echo) -> None:
        await self._a_namespace_is_refused(echo, '40/custom,{"token":"abc"}')

    async def test_should_disallow_connection_to_an_unknown_namespace(self, echo: Echo) -> None:
        await self._a_namespace_is_refused(echo, "40/random")

    async def test_should_disallow_connection_with_an_invalid_handshake(self, echo: Echo) -> None:
        client = await echo.clients.open()
        await client.send("4abc")
        await ends_with_bye_protocol(client)

    async def test_should_close_the_connection_if_no_handshake_is_received(self, strict: Echo) -> None:
        client = await strict.clients.open()
        assert await client.closed() == 1008

    async def _a_namespace_is_refused(self, echo: Echo, connect: str) -> None:
        """Assert that the namespace is refused and that the main namespace can still be connected to."""
        client = await echo.clients.open()
        await client.send(connect)
        refusal = await client.text("44")
        namespace = connect[2:].partition(",")[0]
        assert refusal.startswith(f"44{namespace},")
        body = json.loads(refusal.partition(",")[2])
        assert body.keys() == {"message", "data"}
        assert body["data"]["code"] == "invalid"
        await connected(echo, client)


class TestDisconnect:
    async def test_should_disconnect_from_the_main_namespace(self, echo: Echo) -> None:
        client = await connected(echo)
        await client.send("41")
        assert await client.closed() == 1000

    async def test_should_connect_then_disconnect_from_a_custom_namespace(self, echo: Echo) -> None:
        client = await connected(echo)
        await client.send("40/custom")
        await client.text("44/custom,")
        await client.send("41/custom", '42["message",{"to":"main"}]')
        assert await client.text('42["message-back"') == '42["message-back",{"to":"main"}]'


class TestMessage:
    async def test_should_send_a_plain_text_packet(self, echo: Echo) -> None:
        client = await connected(echo)
        await client.send('42["message",{"3":[true]}]')
        assert await client.text('42["message-back"') == '42["message-back",{"3":[true]}]'

    async def test_should_send_a_packet_with_binary_attachments(self, echo: Echo) -> None:
        await self._binary_is_refused(
            echo, '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        )

    async def test_should_send_a_plain_text_packet_with_an_ack(self, echo: Echo) -> None:
        client = await connected(echo)
        await client.send('42456["message-with-ack",{"3":[false]}]')
        assert await client.text("43") == '43456[{"3":[false]}]'

    async def test_should_send_a_packet_with_binary_attachments_and_an_ack(self, echo: Echo) -> None:
        event = '452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        await self._binary_is_refused(echo, event)

    async def test_should_close_the_connection_upon_invalid_format_unknown_packet_type(self, echo: Echo) -> None:
        await self._a_packet_is_refused(echo, "4abc")

    async def test_should_close_the_connection_upon_invalid_format_invalid_payload_format(self, echo: Echo) -> None:
        await self._a_packet_is_refused(echo, "42{}")

    async def test_should_close_the_connection_upon_invalid_format_invalid_ack_id(self, echo: Echo) -> None:
        await self._a_packet_is_refused(echo, '42abc["message-with-ack",1,"2",{"3":[false]}]')

    async def _binary_is_refused(self, echo: Echo, event: str) -> None:
        client = await connected(echo)
        await client.send(event)
        await client.websocket.send_bytes(bytes([1, 2, 3]))
        await client.websocket.send_bytes(bytes([4, 5, 6]))
        await ends_with_bye_protocol(client)

    async def _a_packet_is_refused(self, echo: Echo, packet: str) -> None:
        client = await connected(echo)
        await client.send(packet)
        await ends_with_bye_protocol(client)
