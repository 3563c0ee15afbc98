"""Sign-up, sign-in and sign-out over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest

from chatcore.errors import RateLimited
from chatcore.ports.authenticator import Credentials
from chatcore.testing import Recorder
from chatcore_http import Endpoint, Request, Response
from chatcore_http.account_operations import Refresh, SignIn, SignUp
from chatcore_http.urls import Segments
from tests.integration.http_node import PASSWORD, HttpNode, http_node
from tests.integration.http_world import stored_content

pytestmark = pytest.mark.anyio

NO_TEXTS: list[Any] = [5, True, 1.5, None, ["x"], {"x": 1}]
WRONG: dict[str, dict[str, list[Any]]] = {
    "/accounts": {
        "user": [*NO_TEXTS, "", " ", "a b", "x" * 33, "x" * 129, "a\0b", "\N{GRINNING FACE}", ".", "..", "\u200b"],
        "password": [*NO_TEXTS, "", "x" * 7, "x" * 1025],
        "name": [*NO_TEXTS, "", "x" * 101, "a\0b", "a\nb"],
    },
    "/sessions": {
        "user": NO_TEXTS,
        "password": [*NO_TEXTS, "", "x" * 7, "x" * 1025],
        "device": [*NO_TEXTS, "", "x" * 65, "a\0b", "a\nb"],
        "cookie": ["", "true", 0, 1, None, [True], {}],
    },
    "/sessions/refresh": {"refresh_token": NO_TEXTS},
}  # fmt: skip
RIGHT: dict[str, dict[str, str]] = {
    "/accounts": {"user": "zoe", "password": PASSWORD},
    "/sessions": {"user": "alice", "password": PASSWORD},
    "/sessions/refresh": {"refresh_token": "x"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node() -> AsyncGenerator[HttpNode]:
    async with http_node() as node:
        await node.sign_in("alice")
        yield node


@pytest.mark.parametrize("path", WRONG)
async def test_wrong_missing_or_unknown_field_is_invalid_and_named(path: str, node: HttpNode) -> None:
    before = await stored_content(node)
    right = RIGHT[path]
    for field, values in WRONG[path].items():
        for value in values:
            answer = await node.ask("POST", path, {**right, field: value})
            assert answer.refusal == (400, "invalid", field), value
    for field in right:
        answer = await node.ask("POST", path, {name: value for name, value in right.items() if name != field})
        assert answer.refusal == (400, "invalid", field)
    for field in ("nonsense", "access_token", "User"):
        assert (await node.ask("POST", path, {**right, field: "x"})).refusal == (400, "invalid", field)
        assert (await node.ask("POST", f"{path}?{field}=x", right)).refusal == (400, "invalid", field)
    assert await stored_content(node) == before


def test_every_field_is_tested() -> None:
    for path, kind in {"/accounts": SignUp, "/sessions": SignIn, "/sessions/refresh": Refresh}.items():
        assert {attribute.name for attribute in attrs.fields(kind)} == set(WRONG[path])


async def test_account_is_created_once_for_all_spellings_of_name(node: HttpNode) -> None:
    made = await node.ask("POST", "/accounts", {"user": "Zoë", "password": PASSWORD, "name": "Zoë of the Tests"})
    assert (made.status, made.json) == (201, {"user": "zoë"})
    taken = await node.ask("POST", "/accounts", {"user": "ZOË", "password": "another password"})
    assert taken.refusal == (409, "conflict", None)
    assert (await node.ask("POST", "/sessions", {"user": "zoë", "password": PASSWORD})).status == 201


async def test_sign_in_gives_tokens_and_device(node: HttpNode) -> None:
    answer = await node.ask("POST", "/sessions", {"user": "Alice", "password": PASSWORD, "device": "phone"})
    assert answer.status == 201
    assert set(answer.json) == {"access_token", "refresh_token", "expires_in", "user", "device"}
    assert (answer.json["user"], answer.json["device"], answer.json["expires_in"]) == ("alice", "phone", 900)
    unnamed = await node.ask("POST", "/sessions", {"user": "alice", "password": PASSWORD})
    assert 1 <= len(unnamed.json["device"]) <= 64
    read = await node.ask("GET", "/rooms", headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert read.status == 200


async def test_unknown_user_invalid_name_and_wrong_password_get_same_answer(node: HttpNode) -> None:
    answers = [
        await node.ask("POST", "/sessions", {"user": user, "password": password})
        for user, password in [
            ("alice", "a wrong one"),
            ("nobody", PASSWORD),
            ("a b", PASSWORD),
            ("\N{GRINNING FACE}", PASSWORD),
            ("x" * 5000, PASSWORD),
            ("", PASSWORD),
            ("a\0b", PASSWORD),
        ]
    ]
    assert {answer.refusal for answer in answers} == {(401, "unauthenticated", None)}
    assert len({answer.body for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


async def test_refresh_spends_token_and_retry_gets_same_answer(node: HttpNode) -> None:
    first = (await node.ask("POST", "/sessions", {"user": "alice", "password": PASSWORD})).json
    second, again = [
        await node.ask("POST", "/sessions/refresh", {"refresh_token": first["refresh_token"]}) for _ in range(2)
    ]
    assert (second.status, again.status) == (200, 200)
    assert set(second.json) == set(first)
    assert second.json["refresh_token"] == again.json["refresh_token"] != first["refresh_token"]


@pytest.mark.parametrize("token", ["", "x", "a.1.b", "x" * 5000, "\N{GRINNING FACE}", "a\0b"])
async def test_invalid_refresh_token_is_refused(token: str, node: HttpNode) -> None:
    answer = await node.ask("POST", "/sessions/refresh", {"refresh_token": token})
    assert answer.refusal == (401, "unauthenticated", None)


async def test_sign_out_ends_session_and_sockets_before_answer(node: HttpNode) -> None:
    tokens = await node.accounts.sign_in("alice", PASSWORD)
    others = await node.accounts.sign_in("alice", PASSWORD)
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    ended, stays = Recorder(), Recorder()
    async with AsyncExitStack() as connected:
        for recorder, pair in ((ended, tokens), (stays, others)):
            principal = await node.accounts.authenticate(Credentials(token=pair.access_token))
            assert principal is not None
            socket = node.chat.connect(recorder, user="alice", session=principal.session)
            await connected.enter_async_context(socket)
        answer = await node.ask("DELETE", "/sessions/current", headers=bearer)
        assert (answer.status, answer.body) == (204, b"")
        assert ended.bye is not None
        assert (ended.bye.code, stays.bye) == ("signed_out", None)
    assert (await node.ask("GET", "/rooms", headers=bearer)).refusal == (401, "unauthenticated", None)
    assert (await node.ask("DELETE", "/sessions/current", headers=bearer)).refusal == (401, "unauthenticated", None)
    refreshed = await node.ask("POST", "/sessions/refresh", {"refresh_token": tokens.refresh_token})
    assert refreshed.refusal == (401, "unauthenticated", None)


async def test_sign_out_has_no_fields(node: HttpNode) -> None:
    for query, data, field in [("?key=x", None, "key"), ("", b"{}", None)]:
        answer = await node.ask("DELETE", f"/sessions/current{query}", data=data, user="alice")
        assert answer.refusal == (400, "invalid", field)
    assert (await node.ask("GET", "/rooms", user="alice")).status == 200


@pytest.mark.parametrize(("wait_ms", "header"), [(1500, "2"), (1, "1"), (0, "1"), (None, "1")])
async def test_temporary_refusal_has_retry_after(wait_ms: int | None, header: str) -> None:
    async def busy(_: Request, __: Segments) -> Response:
        raise RateLimited(retry_after_ms=wait_ms)

    async with http_node(Endpoint("POST", "/busy", busy)) as node:
        answer = await node.ask("POST", "/busy")
    assert answer.refusal == (429, "rate_limited", None)
    assert (answer.json.get("retry_after_ms"), answer.headers["Retry-After"]) == (wait_ms, header)
