"""A thousand entries, paged over HTTP in both directions from every kind of anchor."""

from collections.abc import AsyncGenerator
from urllib.parse import quote, urlencode

import pytest

from chatcore.commands.messages import SendMessage
from chatcore.commands.rooms import CreateRoom
from tests.integration.http_hosts import EVERYWHERE
from tests.integration.http_node import HttpNode, http_node
from tests.integration.paging import TOO_MANY, Object, Read, look_at_nothing, look_at_sizes, page, walk_everywhere

pytestmark = [pytest.mark.anyio, *EVERYWHERE]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def node(anyio_backend: str, http_host: str) -> AsyncGenerator[HttpNode]:
    async with http_node() as node:
        await node.sign_in("alice", "bob", "carol")
        yield node


def over_http(node: HttpNode, user: str) -> Read:
    """Return a reader of histories as ``user``."""

    async def read(command: str, given: Object) -> Object:
        assert command == "history"
        fields = dict(given)
        path = f"/rooms/{fields.pop('room')}" if "room" in fields else f"/users/{quote(fields.pop('with'))}"
        answer = await node.ask("GET", f"{path}/entries?{urlencode(fields)}", user=user)
        assert answer.status == 200, answer
        page: Object = answer.json
        return page

    return read


async def talk(node: HttpNode, users: tuple[str, str], head: int, mine: int) -> None:
    """Fill a private room with ``head`` messages: the first ``mine`` by the first user, the others by the second."""
    for number in range(1, head + 1):
        author, peer = users if number <= mine else reversed(users)
        await node.chat.execute(author, SendMessage(to=peer, key=f"{author} {number}", body=f"{number}"))


async def test_paging_from_any_anchor_gives_1000_entries_once_each(node: HttpNode) -> None:
    """The first unread message is in the middle: carol joins at entry 501."""
    room = (await node.chat.execute("bob", CreateRoom(kind="public", title="x", key="k"))).view.room
    for number in range(2, 1001):
        if number == 501:
            assert (await node.ask("PUT", f"/rooms/{room}/members/carol", user="carol")).json["seq"] == 501
        else:
            await node.chat.execute("bob", SendMessage(room=room, key=f"{number}", body=f"{number}"))
    read = over_http(node, "carol")
    await walk_everywhere(read, {"room": room}, head=1000, first_unread=502)
    await look_at_sizes(read, {"room": room}, head=1000, first_unread=502)
    for fields in TOO_MANY:
        answer = await node.ask("GET", f"/rooms/{room}/entries?{urlencode(fields)}", user="carol")
        assert answer.refusal[:2] == (400, "invalid")
        assert answer.json["field"] in fields
    messages = await read("history", {"room": room, "anchor": 501, "before": 2, "after": 2, "messages_only": "true"})
    assert [entry["seq"] for entry in messages["entries"]] == [499, 500, 502, 503]


@pytest.mark.parametrize("head", [1, 2, 50, 51, 200, 201])
async def test_rooms_of_about_one_page_are_paged_alike_by_id_and_peer(head: int, node: HttpNode) -> None:
    mine = head // 2
    users = (f"a{head}", f"b{head}")
    await node.sign_in(*users)
    await talk(node, users, head, mine)
    read = over_http(node, users[0])
    for where in ({"room": f"pvt-{users[0]}-{users[1]}"}, {"with": users[1]}):
        await walk_everywhere(read, where, head=head, first_unread=mine + 1)


async def test_unborn_room_is_empty_from_every_anchor_and_stays_unborn(node: HttpNode) -> None:
    read = over_http(node, "alice")
    before = await node.store.changes(0, 10_000)
    await look_at_nothing(read, {"with": "carol"})
    assert (await page(read, {"with": "carol"}))["room"] == "pvt-alice-carol"
    assert await node.store.changes(0, 10_000) == before
