"""Some rooms on a node, and a function that returns the content of its stores, to detect changes."""

import copy
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from chatcore.chat import Chat
from chatcore.commands.messages import SendMessage
from chatcore.commands.rooms import CreateRoom
from tests.integration.http_node import HttpNode, http_node


@asynccontextmanager
async def http_world() -> AsyncGenerator[HttpNode]:
    """A node on which alice, bob and carol are signed in. alice and bob have a private room and a group. alice is in a
    group of bob. bob has a public room, and a private room and a group with carol."""
    async with http_node() as node:
        await node.sign_in("alice", "bob", "carol")
        await settle(node.chat)
        yield node


async def settle(chat: Chat) -> None:
    await chat.execute("alice", SendMessage(to="bob", key="1", body="from alice"))
    await chat.execute("bob", SendMessage(to="alice", key="1", body="from bob"))
    await chat.execute("bob", SendMessage(to="carol", key="1", body="not for alice"))
    await chat.execute("alice", CreateRoom(kind="group", title="A group", key="the group", members=["bob"]))
    await chat.execute("bob", CreateRoom(kind="group", title="Bob's", key="a group of bob", members=["alice"]))
    await chat.execute("bob", CreateRoom(kind="public", title="For all", key="the public room"))
    await chat.execute("bob", CreateRoom(kind="group", title="Others", key="a group of others", members=["carol"]))


async def stored_content(node: HttpNode) -> Any:
    """Return the content of the node's stores."""
    changes = (await node.store.changes(0, 1_000_000)).changes
    rooms = {change.room: await node.store.read_on(change.room, 0, 1_000_000) for change in changes}
    markers = {room: await node.store.markers(room, ["alice", "bob", "carol"]) for room in rooms}
    return changes, rooms, markers, copy.deepcopy(vars(node.accounts_store))
