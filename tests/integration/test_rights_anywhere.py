"""The rows without a room, asked by every user, and a check that the rights matrix has every command and route."""

import copy
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from chatcore.commands.blocks import BlockUser
from chatcore.commands.table import COMMANDS
from chatcore_http.urls import shape
from tests.integration.http_hosts import ON_AIOHTTP, ON_ASGI, WITH_ALL_RIGHTS, endpoints_of
from tests.integration.http_node import PASSWORD, HttpNode, http_node
from tests.integration.rights_anywhere import ELSEWHERE, Asker
from tests.integration.rights_asking import Response, expired_token, over_http, over_socket
from tests.integration.rights_requests import http_request, question
from tests.integration.rights_rooms import Cast
from tests.integration.rights_table import ANYWHERE, IN_A_ROOM, SHARED_RANKS, Rank
from tests.integration.socket_clients import WIRES, SocketClient, SocketClients, Wire, socket_clients

pytestmark = pytest.mark.anyio

QUESTIONS = [question(row) for row in IN_A_ROOM if row != "connect"]
HOSTS = (*ON_AIOHTTP, *ON_ASGI)


def is_of_accounts(row: str) -> bool:
    """Return whether only the bundled server has the routes of a row."""
    return any(path.startswith(("/accounts", "/sessions")) for _, path in map(str.split, ELSEWHERE[row].routes))


OVER_HTTP = [
    (host, row)
    for host in HOSTS
    for row in ANYWHERE
    if ELSEWHERE[row].routes and (host == "server" or not is_of_accounts(row))
]
OVER_SOCKETS = [(host, row) for host in HOSTS for row in ANYWHERE if ELSEWHERE[row].command]


def ranks(host: str) -> Sequence[Rank]:
    """Return the ranks of users in a group while they ask: a sample on a host that is not in `WITH_ALL_RIGHTS`."""
    return SHARED_RANKS if host in WITH_ALL_RIGHTS else ["member"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node(http_host: str) -> AsyncGenerator[HttpNode]:
    async with http_node() as node:
        yield node


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    wire: Wire = request.param
    return wire


@pytest.fixture
async def clients(wire: Wire, node: HttpNode) -> AsyncGenerator[SocketClients]:
    async with socket_clients(wire, node.url) as clients:
        yield clients


@pytest.fixture
async def cast(node: HttpNode, http_host: str) -> Cast:
    cast = Cast(node)
    await cast.enter()
    await node.sign_in(somebody_else(cast))
    for rank in ranks(http_host):
        await cast.cell("group", rank)
        await node.chat.execute(cast.other("admin"), BlockUser(user=cast.subject(rank)))
    return cast


def somebody_else(cast: Cast) -> str:
    return f"somebody-{cast.number}"


async def enter(cast: Cast, clients: SocketClients, user: str) -> tuple[Asker, SocketClient, SocketClient]:
    """Sign in the user, and open a socket of the user and a socket of another user."""
    tokens = await cast.node.accounts.sign_in(user, PASSWORD)
    cast.node.tokens[user] = tokens.access_token
    own = await clients.connect(tokens.access_token)
    others = await clients.connect(cast.node.tokens[somebody_else(cast)])
    asker = Asker(
        cast=cast,
        user=user,
        other=somebody_else(cast),
        refresh_token=tokens.refresh_token,
        own_socket=own.ready["socket"],
        others_socket=others.ready["socket"],
        expired_token=expired_token(cast.node, user),
    )
    return asker, own, others


async def held(node: HttpNode) -> Any:
    """Return everything that a refused question could have changed."""
    accounts = {name: copy.deepcopy(value) for name, value in vars(node.accounts_store).items()}
    return await node.store.changes(0, 1_000_000), await node.store.new_blocks(0), accounts


def letter(response: Response) -> str:
    return response.refusal or "+"


@pytest.mark.parametrize("wire", ["socketio"], indirect=True)
@pytest.mark.parametrize(("http_host", "row"), OVER_HTTP, indirect=["http_host"], scope="module")
async def test_every_user_gets_answer_of_table_over_http(
    http_host: str, row: str, cast: Cast, clients: SocketClients
) -> None:
    wanted = ELSEWHERE[row]
    (route,) = wanted.routes
    cells = {who: letter for who, letter in ANYWHERE[row].items() if letter != "."}
    for rank in ranks(http_host):
        entered: tuple[Asker, SocketClient, SocketClient] | None = None
        for who in sorted(cells, key=lambda who: cells[who] == "+"):  # refusals come first, since they change nothing
            asker, own, others = entered or await enter(cast, clients, cast.subject(rank))
            token = {"anonymous": None, "expired": asker.expired_token, "signed in": asker.own_token}[who]
            before = await held(cast.node)
            request = http_request(route, wanted.fields(asker), asker.user)
            response = await over_http(cast.node, request, token, success=wanted.success)
            assert (who, letter(response)) == (who, cells[who])
            assert not others.is_closed
            if cells[who] == "+":
                entered = None
            else:
                entered = asker, own, others
                assert await held(cast.node) == before
                assert not own.is_closed


@pytest.mark.parametrize(("http_host", "row"), OVER_SOCKETS, indirect=["http_host"], scope="module")
async def test_every_user_gets_answer_of_table_over_socket(
    http_host: str, row: str, cast: Cast, clients: SocketClients
) -> None:
    expected, wanted = ANYWHERE[row]["signed in"], ELSEWHERE[row]
    assert wanted.command is not None
    for rank in ranks(http_host):
        asker, own, _ = await enter(cast, clients, cast.subject(rank))
        before = await held(cast.node)
        response = await over_socket(own, wanted.command, wanted.fields(asker))
        assert letter(response) == expected
        if expected != "+":
            assert await held(cast.node) == before
            assert not own.is_closed


def test_every_row_is_tested() -> None:
    assert ELSEWHERE.keys() == ANYWHERE.keys()


def test_every_command_is_in_matrix() -> None:
    """All commands can be sent over a socket."""
    commands = {question.command for question in QUESTIONS} | {row.command for row in ELSEWHERE.values()}
    assert commands - {None} == COMMANDS.keys()


@pytest.mark.parametrize("http_host", ["server"], indirect=True)
async def test_every_route_is_in_matrix(node: HttpNode) -> None:
    asked = {route for question in QUESTIONS for route in question.routes}
    asked |= {route for row in ELSEWHERE.values() for route in row.routes}
    of_commands = {f"{route.method} {route.path}" for command in COMMANDS.values() for route in command.routes}
    assert of_commands <= asked
    shapes = {(method, shape(path)) for method, path in (route.split(" ") for route in asked)}
    assert shapes == {(endpoint.method, shape(endpoint.path)) for endpoint in endpoints_of(node.chat, node.accounts)}
