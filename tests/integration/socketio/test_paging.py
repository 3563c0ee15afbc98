"""A thousand entries, paged over a socket in both directions from every kind of anchor."""

from collections.abc import AsyncGenerator

import pytest

from chatcore import Chat, CreateRoom, JoinRoom, SendMessage
from tests.integration.clients import RawClient, raw_clients
from tests.integration.paging import TOO_MANY, Object, Read, look_at_nothing, look_at_sizes, page, walk_everywhere

from .node import SocketioNode

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(node: SocketioNode) -> AsyncGenerator[RawClient]:
    async with raw_clients(node.url) as clients:
        yield await clients.connect("alice")


def over(client: RawClient) -> Read:
    """Return a reader of histories over the client's socket."""

    async def read(command: str, given: Object) -> Object:
        answer: Object = await client.call(command, given)
        assert answer.pop("ok"), answer
        return answer

    return read


async def talk(chat: Chat, head: int, mine: int) -> None:
    """Fill a private room with ``head`` messages: the first ``mine`` by alice, the others by bob."""
    for number in range(1, head + 1):
        author, peer = ("alice", "bob") if number <= mine else ("bob", "alice")
        await chat.execute(author, SendMessage(to=peer, key=str(number), body=str(number)))


async def test_paging_from_any_anchor_gives_1000_entries_once_each(node: SocketioNode, alice: RawClient) -> None:
    """The first unread message is in the middle: alice joins at entry 501."""
    room = (await node.chat.execute("bob", CreateRoom(kind="public", title="x", key="k"))).view.room
    for number in range(2, 1001):
        if number == 501:
            await node.chat.execute("alice", JoinRoom(room=room))
        else:
            await node.chat.execute("bob", SendMessage(room=room, key=str(number), body=str(number)))
    read = over(alice)
    await walk_everywhere(read, {"room": room}, head=1000, first_unread=502)
    await look_at_sizes(read, {"room": room}, head=1000, first_unread=502)
    for fields in TOO_MANY:
        refused = await alice.call("history", {"room": room, **fields})
        assert refused["error"]["code"] == "invalid"
        assert refused["error"]["field"] in fields
    messages = await read("history", {"room": room, "anchor": 501, "before": 2, "after": 2, "messages_only": True})
    assert [entry["seq"] for entry in messages["entries"]] == [499, 500, 502, 503]


@pytest.mark.parametrize("head", [1, 2, 50, 51, 200, 201])
async def test_rooms_of_about_one_page_are_paged_alike_by_id_and_peer(
    head: int, node: SocketioNode, alice: RawClient
) -> None:
    await talk(node.chat, head, mine=head // 2)
    for where in ({"room": "pvt-alice-bob"}, {"with": "bob"}):
        await walk_everywhere(over(alice), where, head=head, first_unread=head // 2 + 1)


async def test_unborn_room_is_empty_from_every_anchor(alice: RawClient) -> None:
    await look_at_nothing(over(alice), {"with": "carol"})
    assert (await page(over(alice), {"with": "carol"}))["room"] == "pvt-alice-carol"
