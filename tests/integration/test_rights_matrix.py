"""Every command and route, asked by users of every rank, in every kind of room, over HTTP and over sockets.

`rights_table` has the expected answers. A host that is not in `http_hosts.WITH_ALL_RIGHTS` is asked one cell of a row
for each letter in it. A refusal changes nothing. A user who may not know of a room gets, byte for byte, the answer for
a room that does not exist.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import pytest
from attrs import evolve

from chatcore.testing.tasks import at_once
from tests.integration.clients import RawClients, raw_clients
from tests.integration.http_hosts import SAMPLED_ON_ASGI, WITH_ALL_RIGHTS
from tests.integration.http_node import HttpNode, http_node
from tests.integration.plain_client import PlainClients, plain_clients
from tests.integration.rights_asking import Asking, Response, expired_token, over_http, over_socket
from tests.integration.rights_requests import Question, http_request, question
from tests.integration.rights_rooms import Cast, Cell
from tests.integration.rights_table import IN_A_ROOM, KINDS, Kind, Rank
from tests.integration.socket_clients import WIRES, SocketClient, SocketClients, Wire, socket_clients

pytestmark = [pytest.mark.anyio, *SAMPLED_ON_ASGI]

CONNECT = "connect"
ROWS = list(IN_A_ROOM)
OVER_HTTP = [row for row in ROWS if row != CONNECT]
ON_SOCKETS = [row for row in OVER_HTTP if question(row).command]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def node(anyio_backend: str, http_host: str) -> AsyncGenerator[HttpNode]:
    async with http_node() as node:
        yield node


@pytest.fixture
async def cast(node: HttpNode) -> Cast:
    cast = Cast(node)
    await cast.enter()
    return cast


@pytest.fixture(params=WIRES)
async def clients(request: pytest.FixtureRequest, node: HttpNode) -> AsyncGenerator[SocketClients]:
    wire: Wire = request.param
    async with socket_clients(wire, node.url) as clients:
        yield clients


@pytest.fixture
async def socketio(node: HttpNode) -> AsyncGenerator[RawClients]:
    async with raw_clients(f"{node.url}/socket.io/") as clients:
        yield clients


@pytest.fixture
async def websocket(node: HttpNode) -> AsyncGenerator[PlainClients]:
    async with plain_clients(f"{node.url}/ws") as clients:
        yield clients


def asked(row: str, host: str) -> Sequence[tuple[Kind, Rank, str]]:
    """Return the cells of a row that are asked of a host, each with its letter."""
    cells: list[tuple[Kind, Rank, str]] = [
        (kind, rank, letter)
        for kind, letters in IN_A_ROOM[row].items()
        for rank, letter in letters.items()
        if letter != "."
    ]
    return cells if host in WITH_ALL_RIGHTS else sample(cells, number=ROWS.index(row))


def sample(cells: Sequence[tuple[Kind, Rank, str]], number: int) -> Sequence[tuple[Kind, Rank, str]]:
    """Return one cell for each letter. By ``number``, rows take cells of different kinds and ranks."""
    of_letter: dict[str, list[tuple[Kind, Rank, str]]] = {}
    for cell in cells:
        of_letter.setdefault(cell[2], []).append(cell)
    return [alike[number % len(alike)] for alike in of_letter.values()]


Place = TypeVar("Place", tuple[Kind, Rank], tuple[Kind, Rank, str])


async def at_each(places: Iterable[Place], letter: Callable[[Place], Awaitable[str]]) -> Mapping[Place, str]:
    """Return the letters of all places. The questions of a rank are asked in turn, those of all ranks concurrently."""
    of_rank: dict[Rank, list[Place]] = {}
    for place in places:
        of_rank.setdefault(place[1], []).append(place)

    async def letters(places: Iterable[Place]) -> Mapping[Place, str]:
        return {place: await letter(place) for place in places}

    answers = await at_once([partial(letters, places) for places in of_rank.values()])
    return {place: letter for answer in answers for place, letter in answer.items()}


async def ask_http(node: HttpNode, wanted: Question, route: str, token: str | None, cell: Cell) -> Response:
    fields = {name: value for name, value in wanted.fields(cell).items() if name not in wanted.method_says}
    success = 201 if wanted.created else 200
    return await over_http(node, http_request(route, fields, cell.subject), token, success=success)


async def ask_socket(client: SocketClient, wanted: Question, cell: Cell) -> Response:
    assert wanted.command is not None
    return await over_socket(client, wanted.command, wanted.fields(cell))


@pytest.mark.parametrize("row", OVER_HTTP)
async def test_every_user_gets_answer_of_table_over_http(row: str, http_host: str, cast: Cast) -> None:
    wanted = question(row)
    expected: dict[tuple[Kind, Rank, str], str] = {
        (kind, rank, route): letter for kind, rank, letter in asked(row, http_host) for route in wanted.routes
    }

    async def letter(place: tuple[Kind, Rank, str]) -> str:
        kind, rank, route = place
        cell = await cast.cell(kind, rank, wanted.owners, reacted=wanted.reacted)
        ask = partial(ask_http, cast.node, wanted, route, cast.node.tokens[cell.subject])
        return await Asking(cast, cell, ask).letter(wanted)

    assert await at_each(expected, letter) == expected


@pytest.mark.parametrize("row", ON_SOCKETS)
async def test_every_user_gets_answer_of_table_over_socket(
    row: str, http_host: str, cast: Cast, clients: SocketClients
) -> None:
    wanted = question(row)
    expected: dict[tuple[Kind, Rank], str] = {(kind, rank): letter for kind, rank, letter in asked(row, http_host)}
    ranks: set[Rank] = {rank for _, rank in expected}
    sockets = {rank: await clients.connect(cast.node.tokens[cast.subject(rank)]) for rank in ranks}

    async def letter(place: tuple[Kind, Rank]) -> str:
        kind, rank = place
        cell = await cast.cell(kind, rank, wanted.owners, reacted=wanted.reacted)
        return await Asking(cast, cell, partial(ask_socket, sockets[rank], wanted)).letter(wanted)

    assert await at_each(expected, letter) == expected


@pytest.mark.parametrize("row", OVER_HTTP)
async def test_request_without_valid_token_shows_and_changes_nothing(row: str, http_host: str, cast: Cast) -> None:
    wanted, node = question(row), cast.node
    for kind in KINDS if http_host in WITH_ALL_RIGHTS else KINDS[:1]:
        rank: Rank = "member" if kind == "private" else "owner"
        cell = await cast.cell(kind, rank, wanted.owners, reacted=wanted.reacted)
        before = await cast.facts(cell)
        for token in (None, expired_token(node, cell.subject)):
            for route in wanted.routes:
                response = await ask_http(node, wanted, route, token, cell)
                assert response.code == "unauthenticated"
                assert await ask_http(node, wanted, route, token, evolve(cell, room=cell.unborn)) == response
        assert await cast.look_again(cell) == before
        cast.give_back(cell)


async def test_ready_shows_rooms_of_member_or_invited_user(http_host: str, cast: Cast, clients: SocketClients) -> None:
    expected: dict[tuple[Kind, Rank], str] = {(kind, rank): letter for kind, rank, letter in asked(CONNECT, http_host)}
    cells = {(kind, rank): await cast.cell(kind, rank) for kind, rank in expected}
    subjects = {cell.subject for cell in cells.values()}
    sockets = {subject: await clients.connect(cast.node.tokens[subject]) for subject in subjects}
    shown = {subject: [room["room"] for room in socket.ready["rooms"]] for subject, socket in sockets.items()}
    actual = {place: "+" if cell.room in shown[cell.subject] else "-" for place, cell in cells.items()}
    assert actual == expected


async def test_connect_packet_without_valid_token_is_refused(cast: Cast, socketio: RawClients) -> None:
    refusals = set()
    for packet in ("40", "40{}", f"40{json.dumps({'token': expired_token(cast.node, cast.subject('owner'))})}"):
        client = await socketio.open()
        await client.send(packet)
        await client.closed()
        assert client.pushes == []
        refusals.add(client.texts[-1])
    (refusal,) = refusals
    assert json.loads(refusal.removeprefix("44"))["data"]["code"] == "unauthenticated"


async def test_connect_frame_without_valid_token_is_refused(cast: Cast, websocket: PlainClients) -> None:
    refusals = set()
    token = expired_token(cast.node, cast.subject("owner"))
    for frame in (
        {"event": "connect"},
        {"event": "connect", "data": {}},
        {"event": "connect", "data": {"token": token}},
    ):
        client = await websocket.open()
        await client.send(frame)
        assert await client.closed() == 1008
        (refusal,) = client.texts
        refusals.add(refusal)
    (refusal,) = refusals
    assert json.loads(refusal)["event"] == "connect_error"
    assert json.loads(refusal)["data"]["code"] == "unauthenticated"
