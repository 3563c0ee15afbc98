"""Paths, methods, user names, statuses and headers."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

import pytest
from multidict import CIMultiDict

from chatcore.commands.table import COMMANDS
from chatcore.ids import created_room_id, private_room_id
from chatcore_http.urls import shape
from tests.integration.http_hosts import EVERYWHERE, answers_itself, present_host, server
from tests.integration.http_node import HttpNode
from tests.integration.http_samples import GROUP, OTHERS_GROUP, PUBLIC, SAMPLES, Sample, path_of, query_of
from tests.integration.http_world import http_world, stored_content

pytestmark = [pytest.mark.anyio, *EVERYWHERE]

ACCOUNT_ROUTES = [
    ("POST", "/accounts"),
    ("POST", "/sessions"),
    ("POST", "/sessions/refresh"),
    ("DELETE", "/sessions/current"),
]
SOCKETS_ROUTES = [("GET", "/sockets"), ("DELETE", "/sockets/{id}")]
ROUTES = [
    *((route.method, route.path) for command in COMMANDS.values() for route in command.routes),
    *ACCOUNT_ROUTES,
    *SOCKETS_ROUTES,
]
PATHS = sorted({path for _, path in ROUTES})
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node() -> AsyncGenerator[HttpNode]:
    async with http_world() as node:
        yield node


def served(path: str) -> set[str]:
    """Return the methods of a path, for any fields."""
    methods = {method for method, other in ROUTES if shape(other) == shape(path)}
    return methods | {"HEAD"} if "GET" in methods else methods


@pytest.mark.parametrize("path", PATHS)
async def test_unsupported_method_is_405_with_allowed_methods(path: str, node: HttpNode) -> None:
    if path in {path for _, path in ACCOUNT_ROUTES} and present_host() is not server:
        assert (await node.ask("PROPFIND", path)).refusal == (404, "not_found", None)  # a host has accounts of its own
        return
    for method in set(METHODS) - served(path):
        answer = await node.ask(method, path.replace("{", "%7B").replace("}", "%7D"), user="alice")
        assert answer.status == 405
        assert method == "HEAD" or answer.refusal == (405, "invalid", None)
        assert set(answer.headers["Allow"].split(", ")) == served(path)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1",
        "/api/v1/",
        "/api/v1/nonsense",
        "/api/v1/rooms/",
        "/api/v1/rooms/x/y",
        "/api/v1/rooms/x/entries/",
        "/api/v1/rooms/x/members/y/z",
        "/api/v1/rooms/x/marker/",
        "/api/v1/rooms/x/messages/1/reactions",
        "/api/v1//rooms",
        "/api/v1/rooms%2Fx/messages",
        "/api/v1/rooms/x/nonsense",
        "/api/v1/%ff",
        "/api/v1/a%0Ab",
        "/api/v2/rooms",
        "/api%2Fv1/rooms",
        "/nonsense",
        "/%ff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_unknown_path_is_not_found_with_or_without_token(
    method: str, path: str, node: HttpNode, http_host: str
) -> None:
    for headers in ({}, {"Authorization": f"Bearer {node.tokens['alice']}"}):
        answer = await node.send(method, path, None, headers)
        if path == "/api/v1/rooms/":  # an empty room id, which no room has
            assert answer.status in (400, 401, 404, 405)
        elif answers_itself(http_host, path):
            assert answer.status == 404
        else:
            assert answer.refusal == (404, "not_found", None)


async def test_command_not_served_yet_is_404_or_405(node: HttpNode) -> None:
    for method, path, status in [
        ("PUT", f"/rooms/{GROUP}/typing", 404),
        ("PUT", "/auth/refresh", 404),
    ]:
        assert (await node.ask(method, path, user="alice")).status == status, (method, path)


async def test_path_with_encoded_plain_characters_is_found(node: HttpNode) -> None:
    for path in ("/api/v1/rooms", "/%61pi/v1/%72ooms", "/api/v%31/rooms"):
        answer = await node.send("GET", path, None, {"Authorization": f"Bearer {node.tokens['alice']}"})
        assert answer.status == 200


async def test_head_is_get_without_body(node: HttpNode) -> None:
    got = await node.ask("GET", "/rooms", user="alice")
    head = await node.ask("HEAD", "/rooms", user="alice")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


async def test_creation_is_201_and_duplicate_200(node: HttpNode) -> None:
    for path, body in [
        ("/users/bob/messages", {"key": "k", "body": "x"}),
        (f"/rooms/{GROUP}/messages", {"key": "k", "body": "x"}),
        ("/rooms", {"key": "k", "kind": "public", "title": "x"}),
    ]:
        first = await node.ask("POST", path, body, user="alice")
        again = await node.ask("POST", path, body, user="alice")
        assert (first.status, first.json["duplicate"]) == (201, False)
        assert (again.status, again.json["duplicate"]) == (200, True)
        assert first.json | {"duplicate": True} == again.json
    joined = await node.ask("PUT", f"/rooms/{PUBLIC}/members/alice", user="alice")
    assert (joined.status, joined.json) == (200, {"seq": 2, "duplicate": False})


async def test_answer_is_that_of_socket_without_ok(node: HttpNode) -> None:
    sent = await node.ask("POST", "/users/bob/messages", {"key": "k", "body": "x"}, user="alice")
    assert set(sent.json) == {"room", "epoch", "seq", "at", "duplicate"}
    page = await node.ask("GET", "/users/bob/entries", user="alice")
    assert set(page.json) == {"room", "epoch", "head", "entries", "has_before", "has_after"}
    synced = await node.ask("POST", "/sync", {"cursors": {GROUP: {"seq": 0}, OTHERS_GROUP: {"seq": 0}}}, user="alice")
    assert synced.json["rooms"][OTHERS_GROUP] == {"status": "gone"}
    assert synced.json["rooms"][GROUP]["status"] == "events"


# User names.

ODD_NAMES = [
    "a-b",
    "a--b",
    "50%",
    "100%25",
    "a/b",
    "/",
    "{user}",
    "{}",
    "~2d",
    "a~b",
    "+",
    "?x=1",
    "#",
    "&=",
    "...",
    "é",
]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_path_takes_every_user_name_that_accounts_allow(name: str, node: HttpNode) -> None:
    await node.sign_in(name)
    path = f"/users/{quote(name, safe='')}"
    sent = await node.ask("POST", f"{path}/messages", {"key": "k", "body": "x"}, user="alice")
    assert (sent.status, sent.json["room"]) == (201, private_room_id("alice", name))
    room = sent.json["room"]
    assert quote(room, safe="~") == room  # the room id needs no encoding
    back = await node.ask("POST", f"/rooms/{room}/messages", {"key": "k", "body": "y"}, user=name)
    assert (back.status, back.json["seq"]) == (201, 2)
    for query in (f"{path}/entries", f"/rooms/{room}/entries"):
        page = (await node.ask("GET", query, user="alice")).json
        assert [entry["author"] for entry in page["entries"]] == ["alice", name]
    assert (await node.ask("PUT", f"/rooms/{PUBLIC}/members/{quote(name, safe='')}", user=name)).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "\N{GRINNING FACE}",
        "x" * 33,
        "x" * 128,
        "\N{GRINNING FACE}" * 128,
        " ",
        "a b",
        "\u200b",
        "alice\u3000",
    ],
)
async def test_unknown_user_is_not_found_and_opens_no_room(name: str, node: HttpNode) -> None:
    before = await stored_content(node)
    path = f"/users/{quote(name, safe='')}"
    sent = await node.ask("POST", f"{path}/messages", {"key": "k", "body": "x"}, user="alice")
    read = await node.ask("GET", f"{path}/entries", user="alice")
    made = await node.ask(
        "POST", "/rooms", {"key": "k", "kind": "group", "title": "x", "members": ["bob", name]}, user="alice"
    )
    assert {sent.refusal, read.refusal, made.refusal} == {(404, "not_found", None)}
    assert sent.body == read.body == made.body
    assert await stored_content(node) == before


NAMING = [(sample, name) for sample in SAMPLES for name in ("to", "with", "user") if name in sample.in_path]


@pytest.mark.parametrize(("sample", "name"), NAMING)
async def test_invalid_user_name_is_not_found_in_every_path(sample: Sample, name: str, node: HttpNode) -> None:
    before = await stored_content(node)
    query, body = (query_of(sample.fields), None) if sample.in_query else ("", dict(sample.fields))
    for invalid in ("a%20b", "%EF%BC%8E", "x" * 33):  # a fullwidth full stop is normalized to a plain full stop
        for user in ("alice", "bob", "carol"):
            answer = await node.ask(sample.method, path_of(sample, **{name: invalid}) + query, body, user=user)
            assert answer.refusal == (404, "not_found", None)
    assert await stored_content(node) == before


async def test_user_names_are_normalized_as_at_sign_up(node: HttpNode) -> None:
    sent = await node.ask("POST", "/users/BoB/messages", {"key": "k", "body": "x"}, user="alice")
    assert sent.json["room"] == "pvt-alice-bob"
    read = await node.ask("GET", "/users/%EF%BC%A2ob/entries", user="alice")  # a fullwidth B
    assert read.json["room"] == "pvt-alice-bob"
    joined = await node.ask("PUT", f"/rooms/{PUBLIC}/members/ALICE", user="alice")
    assert joined.status == 200


async def test_user_may_write_to_own_private_room(node: HttpNode) -> None:
    sent = await node.ask("POST", "/users/alice/messages", {"key": "k", "body": "a note"}, user="alice")
    assert (sent.status, sent.json["room"]) == (201, "pvt-alice-alice")
    room = (await node.ask("GET", "/rooms/pvt-alice-alice", user="alice")).json
    assert (room["kind"], room["peer"], room["members_count"], room["me"]["unread"]) == ("private", "alice", 1, 0)
    page = (await node.ask("GET", "/users/ALICE/entries", user="alice")).json
    assert [entry["body"] for entry in page["entries"]] == ["a note"]


# Rooms that a user may not know of.

UNKNOWABLE = {
    "somebody else's pair": "pvt-bob-carol",
    "a pair that never wrote": "pvt-bob-dave",
    "a pair of nobodies": "pvt-x-y",
    "somebody else's group": OTHERS_GROUP,
    "a group that was never made": created_room_id("bob", "unborn"),
    "a pair in the wrong order": "pvt-carol-bob",
    "a pair with needless escapes": "pvt-bob-~63arol",
    "a third name": "pvt-alice-bob-carol",
    "no second name": "pvt-alice-",
    "no id": "x",
    "an empty id": "",
    "a slash": "pvt-bob%2Fcarol",
    "a wildcard": "pvt-bob-%25",
    "braces": "{room}",
    "an emoji": "%F0%9F%98%80",
    "another case": "PVT-alice-bob",
    "a line's end": "pvt-alice-bob%0A",
    "a long one": "x" * 5000,
}


ABOUT_A_ROOM = [
    (sample, query)
    for sample in SAMPLES
    if "room" in sample.in_path
    for query in (
        ("", "?anchor=1&before=0", "?anchor=first_unread")
        if sample.command == "history"
        else (query_of(sample.fields) if sample.in_query else "",)
    )
]


@pytest.mark.parametrize(("sample", "query"), ABOUT_A_ROOM)
async def test_hidden_and_unknown_rooms_get_same_answer(
    sample: Sample, query: str, node: HttpNode, http_host: str
) -> None:
    before = await stored_content(node)
    body = None if sample.in_query else sample.fields
    paths = [path_of(sample, room=room) + query for room in UNKNOWABLE.values()]
    paths = [path for path in paths if not answers_itself(http_host, path)]
    answers = [await node.ask(sample.method, path, body, user="alice") for path in paths]
    assert [answer.refusal for answer in answers] == [(404, "not_found", None)] * len(paths)
    assert len({answer.body for answer in answers}) == 1
    assert (
        len(
            {
                str(sorted((name, value) for name, value in answer.headers.items() if name != "Date"))
                for answer in answers
            }
        )
        == 1
    )
    assert await stored_content(node) == before


async def test_sync_of_hidden_or_unknown_room_is_gone(node: HttpNode) -> None:
    rooms = ["pvt-bob-carol", "pvt-bob-dave", OTHERS_GROUP, created_room_id("bob", "unborn"), "x", "", "{room}"]
    answer = await node.ask("POST", "/sync", {"cursors": {room: {"seq": 0} for room in rooms}}, user="alice")
    assert answer.json == {"rooms": {room: {"status": "gone"} for room in rooms}}


@pytest.mark.parametrize("name", ["bob", "carol", "nobody", "%F0%9F%98%80", "x" * 200, "%2E%2E", "", "alice%20", "%00"])
async def test_join_of_other_user_is_forbidden_in_any_room(name: str, node: HttpNode, http_host: str) -> None:
    before = await stored_content(node)
    rooms = ["pvt-alice-bob", GROUP, PUBLIC, *UNKNOWABLE.values(), "%ff"]
    paths = [f"/rooms/{room}/members/{name}" for room in rooms]
    paths = [path for path in paths if not answers_itself(http_host, path)]
    answers = [await node.ask("PUT", path, user="alice") for path in paths]
    assert {answer.refusal for answer in answers} == {(403, "forbidden", None)}
    assert len({answer.body for answer in answers}) == 1
    assert await stored_content(node) == before


async def test_user_in_path_that_is_no_utf_8_is_invalid(node: HttpNode) -> None:
    answer = await node.ask("PUT", f"/rooms/{PUBLIC}/members/%ff", user="alice")
    assert answer.refusal == (400, "invalid", "user")


async def test_join_of_private_room_by_its_member_is_forbidden(node: HttpNode) -> None:
    answer = await node.ask("PUT", "/rooms/pvt-alice-bob/members/alice", user="alice")
    assert answer.refusal == (403, "forbidden", None)


# Headers.


async def test_command_without_body_has_no_fields(node: HttpNode) -> None:
    typed = {"Content-Type": "application/json"}
    assert (await node.ask("PUT", f"/rooms/{PUBLIC}/members/alice", user="alice")).status == 200
    for method, path, field in [
        ("POST", "/users/bob/messages", "key"),
        ("POST", "/sync", "cursors"),
        ("PATCH", "/rooms/pvt-alice-bob/messages/1", "version"),
    ]:
        assert (await node.ask(method, path, user="alice")).refusal == (400, "invalid", field)
        assert (await node.ask(method, path, user="alice", data=b"")).refusal == (400, "invalid", field)
        assert (await node.ask(method, path, user="alice", data=b"", headers=typed)).refusal == (400, "invalid", field)
    untyped = {"Content-Type": "application/octet-stream"}  # what aiohttp's client sends without a body
    for headers in (untyped, typed):
        assert (await node.ask("PUT", f"/rooms/{PUBLIC}/members/alice", headers=headers, user="alice")).status == 200


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json; charset=utf-8", True),
        ('application/json;charset="UTF-8"', True),
        ("application/json; charset=latin-1", False),
        ("application/json; charset=utf-16", False),
        ("text/plain", False),
        ("text/json", False),
        ("application/x-www-form-urlencoded", False),
        ("application/octet-stream", False),
        ("multipart/form-data; boundary=x", False),
        ("nonsense", False),
        ("", False),
        (None, False),
    ],
)
async def test_body_requires_json_content_type(content_type: str | None, is_json: bool, node: HttpNode) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await node.ask(
        "POST", "/users/bob/messages", data=b'{"key": "k", "body": "x"}', headers=headers, user="alice"
    )
    if is_json:
        assert answer.status == 201
    else:
        assert answer.refusal == (400, "invalid", None)
        assert "application/json" in answer.json["detail"]


async def test_answers_are_not_cached_or_sniffed(node: HttpNode) -> None:
    for answer in [
        await node.ask("GET", "/rooms", user="alice"),
        await node.ask("GET", "/rooms"),
        await node.ask("GET", "/nonsense"),
        await node.ask("PATCH", "/rooms", user="alice"),
        await node.ask("POST", "/users/bob/messages", {"key": "k", "body": "x"}, user="alice"),
        await node.send("GET", "/nonsense", None, {}),
    ]:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_problem_details_have_fields_of_rfc_9457_and_of_contract(node: HttpNode) -> None:
    answer = await node.ask("POST", "/users/bob/messages", {"key": "k"}, user="alice")
    assert answer.json == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "invalid",
        "detail": "body is missing.",
        "temporary": False,
        "field": "body",
    }


async def test_token_in_url_is_not_read(node: HttpNode) -> None:
    answer = await node.ask("GET", f"/rooms?access_token={node.tokens['alice']}")
    assert answer.refusal == (401, "unauthenticated", None)


async def test_two_tokens_in_headers_are_unauthenticated(node: HttpNode) -> None:
    tokens = [("Authorization", f"Bearer {node.tokens[user]}") for user in ("alice", "bob")]
    for headers in (CIMultiDict(tokens), CIMultiDict(reversed(tokens)), CIMultiDict(tokens[:1] * 2)):
        answer = await node.send("GET", "/api/v1/rooms", None, headers)
        assert answer.refusal == (401, "unauthenticated", None)


async def test_scheme_bearer_is_read_in_any_case(node: HttpNode) -> None:
    for scheme in ("bearer", "BEARER", "Bearer "):
        answer = await node.ask("GET", "/rooms", headers={"Authorization": f"{scheme} {node.tokens['alice']}"})
        assert answer.status == 200
