"""The cookie with the refresh token of a page's session: when it is set, read and cleared."""

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest
from attrs import define, field

from chatcore.accounts.ports import Rotation
from chatcore.errors import Unavailable
from chatcore_http import AccountRoutes, Endpoints, Guard, Headers, Origins, Request, Response
from chatcore_memory import MemoryAccounts

from .accounts_node import PASSWORD, Node

pytestmark = pytest.mark.anyio

HOST = "chat.example"
OWN = f"https://{HOST}"
LISTED = "https://www.example"
JSON = "application/json"
CLEARED = "chatcore_refresh=; Path=/api/v1/sessions; Max-Age=0; HttpOnly; SameSite=Strict"
FOREIGN = ["https://evil.example", "https://www.chat.example", f"{OWN}:8443", "null", "", f"{OWN}, {OWN}"]
NO_JSON = [
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    None,
]
"""Types that a page may send to any site without a preflight."""


class FailingAccounts(MemoryAccounts):
    """A store that cannot be reached when a token is used."""

    async def rotate(self, session_id: str, generation: int, lifetime: timedelta) -> Rotation | None:
        raise Unavailable


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class Site:
    """The accounts of a node over HTTP, as a browser asks them. Cookies are given with each request."""

    node: Node = field(factory=Node)
    origins: str | None = None
    prefix: str = ""
    is_secure: bool = False

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        origin: str | None = OWN,
        content_type: str | None = JSON,
        cookie: str | None = None,
        token: str | None = None,
    ) -> Response:
        given = {"Host": HOST, "Origin": origin, "Content-Type": content_type, "Cookie": cookie}
        given["Authorization"] = token and f"Bearer {token}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        chunks = [] if body is None else [data]

        async def receive() -> bytes:
            return chunks.pop() if chunks else b""

        request = Request(
            method=method,
            path=f"/api/v1{path}",
            headers=Headers((name, value) for name, value in given.items() if value is not None),
            is_secure=self.is_secure,
            receive=receive,
        )
        endpoints = Endpoints(AccountRoutes(self.node.accounts, prefix=self.prefix).endpoints())
        return await Guard(Origins.parse(self.origins)).answer(request, endpoints.answer)

    async def sign_in(self, user: str = "bob", **more: Any) -> Response:
        """Sign a user in with a cookie, after a sign-up if needed."""
        if await self.node.store.password_hash(user) is None:
            await self.node.accounts.sign_up(user, PASSWORD)
        body = {"user": user, "password": PASSWORD, "device": "browser", "cookie": True}
        return await self.ask("POST", "/sessions", body, **more)

    async def refresh(self, cookie: str | None = None, body: object = b"{}", **more: Any) -> Response:
        return await self.ask("POST", "/sessions/refresh", body, cookie=cookie, **more)

    async def sign_out(self, token: str, cookie: str | None = None) -> Response:
        return await self.ask("DELETE", "/sessions/current", cookie=cookie, token=token, content_type=None)


def shown(response: Response) -> Any:
    return json.loads(response.body)


def refusal(response: Response) -> tuple[int, str, str | None]:
    problem = shown(response)
    return response.status, problem["code"], problem.get("field")


def sets(response: Response) -> str | None:
    return response.headers.get("Set-Cookie")


def pair(response: Response) -> str:
    """Return the cookie that an answer sets, as a browser sends it."""
    return (sets(response) or "").partition(";")[0]


def value(response: Response) -> str:
    return pair(response).removeprefix("chatcore_refresh=")


def expected(token: str, *, prefix: str = "", secure: str = "") -> str:
    path = f"Path={prefix}/api/v1/sessions"
    return f"chatcore_refresh={token}; {path}; Max-Age=2592000; HttpOnly; SameSite=Strict{secure}"


async def is_unspent(site: Site, cookie: str) -> bool:
    """Return whether no request has used the token in a cookie."""
    claims = site.node.tokens.read_refresh(cookie.removeprefix("chatcore_refresh="))
    assert claims
    session = await site.node.store.session(claims[0])
    return session is not None and session.generation == claims[1]


# Setting it.


@pytest.mark.parametrize("prefix", ["", "/chat", "/apps/chat"])
@pytest.mark.parametrize(("is_secure", "secure"), [(False, ""), (True, "; Secure")])
async def test_cookie_has_exactly_these_attributes(prefix: str, is_secure: bool, secure: str) -> None:
    site = Site(prefix=prefix, is_secure=is_secure)
    signed_in = await site.sign_in()
    refreshed = await site.refresh(pair(signed_in))
    for response in (signed_in, refreshed):
        token = value(response)
        assert site.node.tokens.read_refresh(token)
        assert sets(response) == expected(token, prefix=prefix, secure=secure)
    cleared = await site.sign_out(shown(refreshed)["access_token"], pair(refreshed))
    assert sets(cleared) == CLEARED.replace("/api", f"{prefix}/api") + secure


async def test_cookie_lives_as_long_as_an_unused_session() -> None:
    site = Site(Node(session_idle=timedelta(hours=2, milliseconds=1)))
    assert "; Max-Age=7200;" in (sets(await site.sign_in()) or "")


async def test_answers_with_cookie_show_no_refresh_token_and_are_not_stored() -> None:
    site = Site()
    signed_in = await site.sign_in()
    refreshed = await site.refresh(pair(signed_in))
    assert (signed_in.status, refreshed.status) == (201, 200)
    for response in (signed_in, refreshed):
        assert shown(response).keys() == {"access_token", "expires_in", "user", "device"}
        assert value(response) not in response.body.decode()
        assert response.headers["Cache-Control"] == "no-store"
    assert shown(refreshed)["device"] == "browser"


@pytest.mark.parametrize("more", [{}, {"cookie": False}])
async def test_sign_in_without_cookie_shows_token_and_sets_none(more: Mapping[str, bool]) -> None:
    site = Site()
    await site.node.accounts.sign_up("bob", PASSWORD)
    response = await site.ask("POST", "/sessions", {"user": "bob", "password": PASSWORD, **more})
    assert (response.status, sets(response)) == (201, None)
    assert site.node.tokens.read_refresh(shown(response)["refresh_token"])


@pytest.mark.parametrize("prefix", ["chat", "/chat/", "/", "/a b", "/a;Domain=example", "/a\r\nx", "/../a"])
def test_prefix_that_is_no_path_of_a_cookie_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="the prefix"):
        AccountRoutes(Node().accounts, prefix=prefix)


# When it counts.


@pytest.mark.parametrize("has_cookie", [True, False])
@pytest.mark.parametrize("body", [b"{}", b""])
async def test_refresh_by_cookie_without_origin_is_invalid_and_spends_nothing(body: bytes, has_cookie: bool) -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    response = await site.refresh(cookie if has_cookie else None, body, origin=None)
    assert refusal(response) == (400, "invalid", "refresh_token")
    assert sets(response) is None
    assert await is_unspent(site, cookie)


@pytest.mark.parametrize("content_type", NO_JSON)
@pytest.mark.parametrize("body", [b"{}", b"", b"x=1", b'{"refresh_token":""}'])
async def test_refresh_by_cookie_without_json_type_is_invalid_and_spends_nothing(
    body: bytes, content_type: str | None
) -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    for origin in (OWN, None):
        response = await site.refresh(cookie, body, origin=origin, content_type=content_type)
        assert refusal(response)[:2] == (400, "invalid")
        assert sets(response) is None
    assert await is_unspent(site, cookie)


@pytest.mark.parametrize("origins", [None, LISTED])
@pytest.mark.parametrize("origin", FOREIGN)
async def test_request_of_other_origin_is_forbidden_and_does_nothing(origin: str, origins: str | None) -> None:
    site = Site(origins=origins)
    signed_in = await site.sign_in()
    cookie, token = pair(signed_in), shown(signed_in)["access_token"]
    hashes = len(site.node.hasher.verified)
    body = {"user": "bob", "password": PASSWORD, "cookie": True}
    for response in (
        await site.refresh(cookie, origin=origin),
        await site.refresh(cookie, b"", origin=origin, content_type=None),
        await site.sign_in(origin=origin),
        await site.ask("POST", "/sessions", body, origin=origin, content_type="text/plain"),
        await site.ask("DELETE", "/sessions/current", origin=origin, cookie=cookie, token=token),
    ):
        assert refusal(response) == (403, "forbidden", None)
        assert sets(response) is None
        assert "Access-Control-Allow-Origin" not in response.headers
    assert len(site.node.hasher.verified) == hashes
    assert await is_unspent(site, cookie)


@pytest.mark.parametrize("content_type", NO_JSON)
@pytest.mark.parametrize("origin", [OWN, None])
async def test_sign_in_by_form_or_text_sets_no_cookie(origin: str | None, content_type: str | None) -> None:
    site = Site()
    response = await site.sign_in(origin=origin, content_type=content_type)
    assert refusal(response) == (400, "invalid", None)
    assert sets(response) is None
    assert site.node.hasher.verified == []


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_preflight_of_other_origin_is_forbidden(method: str) -> None:
    for path in ("/sessions", "/sessions/refresh", "/sessions/current"):
        response = await Site(origins=LISTED).ask("OPTIONS", path, origin=FOREIGN[0])
        assert refusal(response) == (403, "forbidden", None)


async def test_page_of_listed_origin_signs_in_and_refreshes() -> None:
    site = Site(origins=LISTED)
    signed_in = await site.sign_in(origin=LISTED)
    refreshed = await site.refresh(pair(signed_in), origin=LISTED)
    for response in (signed_in, refreshed):
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert value(response)


@pytest.mark.parametrize("cookie", [None, "", "theme=dark", "chatcore_refresh", "Chatcore_refresh={token}", "{two}"])
async def test_missing_malformed_or_double_cookie_is_refused_and_stays(cookie: str | None) -> None:
    site = Site()
    own = pair(await site.sign_in())
    others = pair(await site.sign_in("eve"))
    if cookie is not None:
        cookie = cookie.format(token=own.partition("=")[2], two=f"{others}; {own}")
    response = await site.refresh(cookie)
    assert refusal(response) == (401, "unauthenticated", None)
    assert sets(response) is None
    assert await is_unspent(site, own)
    assert await is_unspent(site, others)


async def test_cookie_counts_beside_other_cookies() -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    assert (await site.refresh(f"theme=dark; a=1; a=2; broken; {cookie}; {cookie}")).status == 200


@pytest.mark.parametrize("kind", ["wrong", "empty", "changed", "access token", "ended", "spent", "idle", "not ascii"])
async def test_refused_cookie_is_cleared(kind: str) -> None:
    site = Site()
    signed_in = await site.sign_in()
    cookie, token = pair(signed_in), shown(signed_in)["access_token"]
    match kind:
        case "ended":
            await site.sign_out(token)
        case "spent":
            await site.refresh(cookie)
            site.node.clock.tick(5.001)
        case "idle":
            site.node.clock.tick(31 * 86_400)
        case _:
            values = {"wrong": "x", "empty": "", "changed": f"{value(signed_in)}x", "not ascii": "\udcff\u00e4"}
            cookie = f"chatcore_refresh={values.get(kind, token)}"
    response = await site.refresh(cookie)
    assert refusal(response) == (401, "unauthenticated", None)
    assert sets(response) == CLEARED


async def test_cookie_stays_after_a_temporary_error() -> None:
    site = Site(Node(store=FailingAccounts()))
    response = await site.refresh(pair(await site.sign_in()))
    assert refusal(response) == (503, "unavailable", None)
    assert sets(response) is None


async def test_cookie_is_ignored_where_body_has_refresh_token() -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    other = await site.node.accounts.sign_in("bob", PASSWORD)
    for origin in (OWN, None):
        right = await site.refresh(cookie, {"refresh_token": other.refresh_token}, origin=origin)
        assert (right.status, sets(right)) == (200, None)
        assert "refresh_token" in shown(right)
        wrong = await site.refresh(cookie, {"refresh_token": "x"}, origin=origin)
        assert (wrong.status, sets(wrong)) == (401, None)
        no_text = await site.refresh(cookie, {"refresh_token": None}, origin=origin)
        assert refusal(no_text) == (400, "invalid", "refresh_token")
    assert await is_unspent(site, cookie)


async def test_tabs_that_refresh_at_once_get_the_same_cookie_for_5_s() -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    responses: list[Response] = []

    async def refresh() -> None:
        responses.append(await site.refresh(cookie))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(refresh)
    site.node.clock.tick(5)
    await refresh()
    assert {response.status for response in responses} == {200}
    (new,) = {pair(response) for response in responses}
    assert new != cookie
    assert await is_unspent(site, new)


async def test_late_request_with_spent_cookie_gets_the_newest_one() -> None:
    site = Site()
    first = pair(await site.sign_in())
    second = pair(await site.refresh(first))
    site.node.clock.tick(2)
    third = pair(await site.refresh(second))
    site.node.clock.tick(3)
    assert pair(await site.refresh(first)) == third
    assert await is_unspent(site, third)


async def test_cookie_used_again_after_5_s_ends_the_session() -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    new = pair(await site.refresh(cookie))
    site.node.clock.tick(5.001)
    assert sets(await site.refresh(cookie)) == CLEARED
    assert [user for user, _ in site.node.ended] == ["bob"]
    refused = await site.refresh(new)
    assert (refused.status, sets(refused)) == (401, CLEARED)


# Signing out.


async def test_sign_out_clears_cookie_of_its_session_also_spent_or_wrong() -> None:
    site = Site()
    first = await site.sign_in()
    await site.refresh(pair(first))
    for cookie in (pair(first), "chatcore_refresh=x", "chatcore_refresh="):
        signed_in = await site.sign_in()
        token = shown(first if cookie == pair(first) else signed_in)["access_token"]
        response = await site.sign_out(token, cookie)
        assert (response.status, sets(response)) == (204, CLEARED)


async def test_sign_out_leaves_cookie_of_another_session_and_sets_none_without_one() -> None:
    site = Site()
    others = pair(await site.sign_in("eve"))
    for cookie in (None, others, "theme=dark"):
        response = await site.sign_out(shown(await site.sign_in())["access_token"], cookie)
        assert (response.status, sets(response)) == (204, None)
    assert (await site.refresh(others)).status == 200


async def test_page_with_expired_access_token_refreshes_and_signs_out() -> None:
    site = Site()
    signed_in = await site.sign_in()
    site.node.clock.tick(1_000)
    refused = await site.sign_out(shown(signed_in)["access_token"], pair(signed_in))
    assert (refused.status, sets(refused)) == (401, None)
    refreshed = await site.refresh(pair(signed_in))
    assert (await site.sign_out(shown(refreshed)["access_token"], pair(refreshed))).status == 204
    assert (await site.refresh(pair(refreshed))).status == 401


async def test_cookie_alone_signs_nobody_out() -> None:
    site = Site()
    cookie = pair(await site.sign_in())
    response = await site.ask("DELETE", "/sessions/current", cookie=cookie)
    assert (response.status, sets(response)) == (401, None)
    assert await is_unspent(site, cookie)


# Secrecy.


async def test_value_of_cookie_is_in_no_body_log_line_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site()
    cookie = pair(await site.sign_in())
    new = pair(await site.refresh(cookie))
    bodies = [
        (await site.refresh(f"{cookie}; {new}")).body,
        (await site.refresh(f"{new}\x00")).body,
        (await site.refresh(f"{new}x")).body,
        (await site.refresh(new, origin=FOREIGN[0])).body,
        (await site.refresh(new, origin=None)).body,
        (await site.refresh(new, b"{" + new.encode())).body,
        (await site.refresh(new, content_type=f"text/plain; {new}")).body,
    ]
    site.node.clock.tick(6)
    bodies.append((await site.refresh(cookie)).body)
    bodies.append((await site.refresh(new)).body)
    assert any("refresh token" in message for message in caplog.messages)  # the log has the reuse, so logging was on
    for token in (cookie, new):
        secret = token.rpartition(".")[2]
        assert secret not in caplog.text
        assert not [body for body in bodies if secret.encode() in body]
