"""``CHATCORE_ROOM_MEMBERS_MAX`` at the real server, over HTTP."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.integration.serve_client import User, sign_in
from tests.integration.serving import serving

pytestmark = pytest.mark.anyio

PEOPLE = ("alice", "bob", "carol", "dave")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(user: User, method: str, path: str, body: object = None) -> tuple[int, Mapping[str, object]]:
    url = URL(user.api + path, encoded=True)
    async with user.http.request(method, url, json=body, headers=user.bearer) as answer:
        return answer.status, await answer.json()


async def create(user: User, members: Sequence[str], key: str) -> tuple[int, Mapping[str, object]]:
    return await ask(user, "POST", "/rooms", {"kind": "public", "title": "Tea", "members": members, "key": key})


async def test_members_max_bounds_room_create_join_and_accepted_invitations(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, environment={"CHATCORE_ROOM_MEMBERS_MAX": "3"}) as server,
        ClientSession() as http,
    ):
        alice, _, carol, dave = [await sign_in(http, server.url, name) for name in PEOPLE]
        status, refused = await create(alice, ["bob", "carol", "dave"], "too many")
        assert (status, refused["code"], refused["field"]) == (400, "invalid", "members")
        status, room = await create(alice, ["bob", "alice", "bob"], "two of three")
        assert (status, room["members_count"]) == (201, 2)
        path = f"/rooms/{room['room']}"
        assert (await ask(carol, "PUT", f"{path}/members/carol"))[0] == 200
        assert (await ask(alice, "PUT", f"{path}/invitations/dave"))[0] == 200
        status, refused = await ask(dave, "PUT", f"{path}/members/dave")
        assert (status, refused["code"]) == (409, "conflict")
        assert (await ask(alice, "DELETE", f"{path}/members/bob"))[0] == 200
        assert (await ask(dave, "PUT", f"{path}/members/dave"))[0] == 200
        assert (await ask(dave, "GET", path))[1]["members_count"] == 3
