"""The matrix of rights on MongoDB: the same rows, with the same answers, over HTTP and on sockets of Socket.IO."""

from collections.abc import AsyncGenerator

import pytest

from chatcore_mongo import MongoAccounts, MongoStore, queries
from chatcore_mongo.documents import marker_id
from tests.integration import test_rights_matrix as matrix
from tests.integration.clients import RawClients
from tests.integration.http_hosts import served_by_each
from tests.integration.http_node import HttpNode, http_node
from tests.integration.rights_rooms import Cast, Cell, Facts
from tests.integration.test_rights_matrix import anyio_backend as anyio_backend
from tests.integration.test_rights_matrix import socketio as socketio

pytestmark = [pytest.mark.anyio, *served_by_each("server")]

test_every_user_gets_answer_of_table_over_http = matrix.test_every_user_gets_answer_of_table_over_http
test_every_user_gets_answer_of_table_over_socket = matrix.test_every_user_gets_answer_of_table_over_socket
test_request_without_valid_token_shows_and_changes_nothing = (
    matrix.test_request_without_valid_token_shows_and_changes_nothing
)
test_ready_shows_rooms_of_member_or_invited_user = matrix.test_ready_shows_rooms_of_member_or_invited_user
test_connect_packet_without_valid_token_is_refused = matrix.test_connect_packet_without_valid_token_is_refused


class MongoCast(Cast):
    """Reads all documents of a room with one command."""

    async def look_again(self, cell: Cell) -> Facts:
        """Return the current content of the cell."""
        assert isinstance(self.node.store, MongoStore)
        of_users = [marker_id(cell.room, user) for user in (cell.subject, *cell.people.values())]
        async with self.node.store.database.read_session() as session:
            log, markers, unborn = await session.fetch(
                queries.above(cell.room, 0, 1_000, 1_000),
                queries.markers(of_users),
                queries.above(cell.unborn, 0, 1_000, 1_000),
            )
        return Facts(len(log), (log, markers), len(unborn))


@pytest.fixture(scope="module")
async def node(anyio_backend: str, http_host: str, mongo_url: str) -> AsyncGenerator[HttpNode]:
    store = MongoStore(mongo_url)
    async with http_node(store=store, accounts_store=MongoAccounts(store.database)) as node:
        yield node


@pytest.fixture
async def clients(socketio: RawClients) -> RawClients:
    return socketio


@pytest.fixture(scope="module")
def casts() -> dict[str, MongoCast]:
    """A cast for each test. Its rows share unchanged rooms, since MongoDB is slow to create them."""
    return {}


@pytest.fixture
async def cast(node: HttpNode, casts: dict[str, MongoCast], request: pytest.FixtureRequest) -> Cast:
    name = request.function.__name__
    if name not in casts:
        casts[name] = MongoCast(node)
        await casts[name].enter()
    return casts[name]
