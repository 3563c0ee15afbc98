"""Every error code over HTTP, Socket.IO and the plain WebSocket, on every host, with what the contract says of it.

The matrix of rights has `unauthenticated`.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from attrs import frozen

from chatcore import Unavailable
from chatcore.commands.rate_limits import CommandLimits, SendRates
from chatcore.errors import ChatError
from chatcore.ports.rate_limiter import Rate
from chatcore_limits import MemoryRateLimiter
from tests.integration.http_hosts import SAMPLED_ON_ASGI
from tests.integration.http_node import HttpNode, http_node
from tests.integration.http_samples import GROUP, OTHERS_GROUP, PRIVATE
from tests.integration.http_world import settle, stored_content
from tests.integration.rights_requests import http_request
from tests.integration.socket_clients import WIRES, SocketClients, Wire, socket_clients
from tests.integration.test_http_errors import FallibleStore

pytestmark = [pytest.mark.anyio, *SAMPLED_ON_ASGI]

TEMPORARY = ("rate_limited", "internal", "unavailable")


@frozen(kw_only=True)
class Refused:
    """A command that is refused, and the same over HTTP.

    Attributes:
        user: who sends it.
        field: that the error names.
        fault: of the store, meanwhile.
    """

    status: int
    command: str
    route: str
    fields: Mapping[str, Any]
    user: str = "alice"
    field: str | None = None
    fault: Exception | None = None


SEND = "POST /rooms/{room}/messages"
EDIT = "PATCH /rooms/{room}/messages/{seq}"
EDITED = {"room": PRIVATE, "body": "else", "key": "edit"}
NEW = {"kind": "group", "title": "A fourth", "key": "a fourth group"}


def reading(status: int, room: str, fault: Exception | None = None) -> Refused:
    return Refused(status=status, command="room.get", route="GET /rooms/{room}", fields={"room": room}, fault=fault)


def sending(status: int, field: str | None = None, **fields: object) -> Refused:
    return Refused(
        status=status, command="message.send", route=SEND, fields={"room": PRIVATE, "key": "k", **fields}, field=field
    )


ERRORS: Mapping[str, Refused] = {
    "invalid": sending(400, field="body", body=5),
    "forbidden": Refused(status=403, command="message.edit", route=EDIT, fields={**EDITED, "seq": 2, "version": 1}),
    "not_found": reading(404, OTHERS_GROUP),
    "conflict": Refused(status=409, command="message.edit", route=EDIT, fields={**EDITED, "seq": 1, "version": 2}),
    "key_reused": sending(409, key="1", body="not what was sent with this key"),
    "too_large": sending(413, body="x" * 70_000),
    "rate_limited": Refused(status=429, command="room.create", route="POST /rooms", fields=NEW, user="bob"),
    "internal": reading(500, GROUP, ZeroDivisionError("planted")),
    "unavailable": reading(503, GROUP, Unavailable()),
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def node(anyio_backend: str, http_host: str) -> AsyncGenerator[HttpNode]:
    limits = CommandLimits(SendRates(), MemoryRateLimiter({"create": Rate(3, 3_600)}))  # bob has created three rooms
    async with http_node(store=FallibleStore(), limits=limits) as node:
        await node.sign_in("alice", "bob", "carol")
        await settle(node.chat)
        yield node


@pytest.fixture(params=WIRES)
async def clients(request: pytest.FixtureRequest, node: HttpNode) -> AsyncGenerator[SocketClients]:
    wire: Wire = request.param
    async with socket_clients(wire, node.url) as clients:
        yield clients


@pytest.fixture
async def store(node: HttpNode) -> AsyncGenerator[FallibleStore]:
    """The store of the node, whose content must be unchanged at the end of the test."""
    assert isinstance(node.store, FallibleStore)
    before = await stored_content(node)
    yield node.store
    node.store.fault = None
    assert await stored_content(node) == before


def test_every_code_has_a_case() -> None:
    codes = {error.code for error in ChatError.__subclasses__()}
    assert codes == {*ERRORS, "unauthenticated"}


@pytest.mark.parametrize("code", ERRORS)
async def test_error_over_http_has_status_and_code_of_contract(code: str, node: HttpNode, store: FallibleStore) -> None:
    refused = ERRORS[code]
    request = http_request(refused.route, refused.fields, refused.user)
    store.fault = refused.fault
    answer = await node.ask(request.method, request.path, request.body, user=refused.user)
    assert answer.refusal == (refused.status, code, refused.field)
    assert answer.json["temporary"] is (code in TEMPORARY)
    assert ("Retry-After" in answer.headers) is ("retry_after_ms" in answer.json) is (code == "rate_limited")


@pytest.mark.parametrize("code", ERRORS)
async def test_error_over_socket_has_code_of_contract_and_socket_stays_open(
    code: str, node: HttpNode, clients: SocketClients, store: FallibleStore
) -> None:
    refused = ERRORS[code]
    client = await clients.connect(node.tokens[refused.user])
    store.fault = refused.fault
    answer = await client.call(refused.command, refused.fields)
    error = answer["error"]
    assert (answer["ok"], error["code"], error.get("field")) == (False, code, refused.field)
    assert error["temporary"] is (code in TEMPORARY)
    assert ("retry_after_ms" in error) is (code == "rate_limited")
    store.fault = None
    assert (await client.call("rooms", {}))["ok"]
