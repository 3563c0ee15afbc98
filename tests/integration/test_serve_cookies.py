"""The cookie of a page's session, over the server: behind TLS, with several tabs, and against other sites."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, DummyCookieJar
from attrs import frozen
from yarl import URL

from chatcore_http import Origins, Proxies
from chatcore_memory import MemoryAccounts
from chatcore_server.serving import running
from chatcore_server.settings import Settings
from tests.integration.http_node import http_node
from tests.integration.tls_proxy import tls_proxy
from tests.unit.accounts_node import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("default_collector")]

SECRET = b"a secret of the tests, of 32 bytes or more"
PASSWORD = "correct horse"
LISTED = "https://chat.example"
LOOPBACK = Proxies.parse("127.0.0.1")
ATTRIBUTES = "; Path=/api/v1/sessions; Max-Age=2592000; HttpOnly; SameSite=Strict"
CLEARED = "chatcore_refresh=; Path=/api/v1/sessions; Max-Age=0; HttpOnly; SameSite=Strict"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@frozen
class Answer:
    status: int
    json: Any
    cookie: str | None
    """The whole field ``Set-Cookie``."""

    @property
    def pair(self) -> str:
        """The cookie as a browser sends it."""
        return (self.cookie or "").partition(";")[0]

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        return self.status, self.json["code"], self.cookie


@frozen
class Page:
    """A page of the server at ``url``. Its client keeps cookies, or those of each request are given."""

    http: ClientSession
    url: str

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        return await self.ask("POST", path, json=body, headers=headers)

    async def ask(self, method: str, path: str, *, headers: Any, **request: Any) -> Answer:
        given = {"Origin": self.url, **{name.replace("_", "-"): value for name, value in headers.items()}}
        given = {name: value for name, value in given.items() if value}
        async with self.http.request(method, f"{self.url}/api/v1{path}", headers=given, **request) as answer:
            body = await answer.json(content_type=None) if answer.status != 204 else None
            assert answer.headers["Cache-Control"] == "no-store"
            cookies = answer.headers.getall("Set-Cookie", [])
            assert len(cookies) <= 1
            return Answer(answer.status, body, cookies[0] if cookies else None)

    async def sign_in(self, **headers: str) -> Answer:
        """Sign alice in with a cookie."""
        return await self.post("/sessions", {"user": "alice", "password": PASSWORD, "cookie": True}, **headers)


@asynccontextmanager
async def served(*, store: str = "memory", **settings: Any) -> AsyncGenerator[Page]:
    """Serve, with an account of alice."""
    async with (
        running(Settings(port=0, store=store, secret=SECRET, **settings)) as [(_, port)],
        ClientSession(cookie_jar=DummyCookieJar()) as http,
    ):
        page = Page(http, f"http://127.0.0.1:{port}")
        assert (await page.post("/accounts", {"user": "alice", "password": PASSWORD})).status == 201
        yield page


async def test_browser_behind_tls_of_trusted_proxy_signs_in_refreshes_and_signs_out(tmp_path: Path) -> None:
    async with served(trusted_proxies=LOOPBACK) as server, tls_proxy(URL(server.url).port or 0, tmp_path) as proxy:
        jar = CookieJar()
        async with ClientSession(cookie_jar=jar) as browser:
            page = Page(browser, proxy.url)
            tls: Any = {"ssl": proxy.context}
            body = {"user": "alice", "password": PASSWORD, "cookie": True}
            signed_in = await page.ask("POST", "/sessions", json=body, headers={}, **tls)
            refreshed = await page.ask("POST", "/sessions/refresh", json={}, headers={}, **tls)
            assert (signed_in.status, refreshed.status) == (201, 200)
            for answer in (signed_in, refreshed):
                assert answer.cookie == f"{answer.pair}{ATTRIBUTES}; Secure"
                assert answer.json.keys() == {"access_token", "expires_in", "user", "device"}
            assert signed_in.pair != refreshed.pair
            for path, sent in [("/sessions/refresh", True), ("/rooms", False), ("/sessions2", False)]:
                assert bool(jar.filter_cookies(URL(f"{proxy.url}/api/v1{path}"))) == sent
            assert not jar.filter_cookies(URL(f"{proxy.url.replace('https', 'http')}/api/v1/sessions/refresh"))
            bearer = {"Authorization": f"Bearer {refreshed.json['access_token']}"}
            signed_out = await page.ask("DELETE", "/sessions/current", headers=bearer, **tls)
            assert (signed_out.status, signed_out.cookie) == (204, f"{CLEARED}; Secure")
            assert not len(jar)
            assert (await page.ask("POST", "/sessions/refresh", json={}, headers={}, **tls)).status == 401


@pytest.mark.parametrize(
    ("trusted", "scheme", "secure"),
    [
        (LOOPBACK, "https", "; Secure"),
        (LOOPBACK, "HTTPS", "; Secure"),
        (LOOPBACK, "https, http", ""),
        (LOOPBACK, "http", ""),
        (LOOPBACK, "", ""),
        (Proxies(), "https", ""),
        (Proxies.parse("10.0.0.0/8"), "https", ""),
    ],
)
async def test_only_trusted_proxy_makes_cookie_secure(trusted: Proxies, scheme: str, secure: str) -> None:
    async with served(trusted_proxies=trusted) as page:
        answer = await page.sign_in(X_Forwarded_Proto=scheme, X_Forwarded_For="198.51.100.1")
        assert answer.cookie == f"{answer.pair}{ATTRIBUTES}{secure}"


async def test_tabs_that_refresh_at_once_get_one_cookie(tmp_path: Path) -> None:
    async with served(store="sqlite", data_dir=tmp_path) as page:
        cookie = (await page.sign_in()).pair
        for _ in range(3):
            refresh = [page.post("/sessions/refresh", {}, Cookie=cookie) for _ in range(10)]
            answers = await asyncio.gather(*refresh)
            assert {answer.status for answer in answers} == {200}
            ((new, shown),) = {(answer.pair, answer.cookie) for answer in answers}
            assert shown == f"{new}{ATTRIBUTES}"
            assert new != cookie
            cookie = new


async def test_spent_cookie_ends_session_after_5_s() -> None:
    clock = Clock()
    async with http_node(accounts_store=MemoryAccounts(clock)) as node:
        await node.accounts.sign_up("alice", PASSWORD)
        page = Page(node.client, node.url)
        spent = (await page.sign_in()).pair
        refreshed = await page.post("/sessions/refresh", {}, Cookie=spent)
        bearer = f"Bearer {refreshed.json['access_token']}"
        clock.tick(5)
        assert (await page.post("/sessions/refresh", {}, Cookie=spent)).pair == refreshed.pair
        assert (await page.ask("GET", "/sockets", headers={"Authorization": bearer})).status == 200
        clock.tick(0.001)
        for cookie in (spent, refreshed.pair):
            answer = await page.post("/sessions/refresh", {}, Cookie=cookie)
            assert answer.refusal == (401, "unauthenticated", CLEARED)
        assert (await page.ask("GET", "/sockets", headers={"Authorization": bearer})).status == 401


@pytest.mark.parametrize("setting", [None, LISTED])
async def test_other_sites_neither_sign_in_nor_refresh(setting: str | None) -> None:
    async with served(origins=Origins.parse(setting)) as page:
        own = (await page.sign_in()).pair
        form: Any = {"data": b'{"user":"alice","password":"correct horse","cookie":true}'}
        for origin in ("https://evil.example", "null", page.url.replace("127.0.0.1", "localhost"), f"{page.url}1"):
            headers = {"Origin": origin, "Cookie": own}
            assert (await page.post("/sessions/refresh", {}, **headers)).refusal == (403, "forbidden", None)
            assert (await page.sign_in(Origin=origin)).refusal == (403, "forbidden", None)
            preflight = {**headers, "Access-Control-Request-Method": "POST"}
            for path in ("/sessions", "/sessions/refresh"):
                assert (await page.ask("OPTIONS", path, headers=preflight)).refusal == (403, "forbidden", None)
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            headers = {"Cookie": own, "Content-Type": content_type}
            for origin in (page.url, ""):
                given = {**headers, "Origin": origin}
                refused = [
                    await page.ask("POST", "/sessions", headers=given, **form),
                    await page.ask("POST", "/sessions/refresh", headers=given, data=b"{}"),
                    await page.ask("POST", "/sessions/refresh", headers=given, data=b""),
                ]
                assert {answer.refusal for answer in refused} == {(400, "invalid", None)}
        assert (await page.post("/sessions/refresh", {}, Origin="", Cookie=own)).refusal == (400, "invalid", None)
        admitted = [setting] if setting else []
        for origin in (*admitted, page.url):
            answer = await page.post("/sessions/refresh", {}, Origin=origin, Cookie=own)
            assert answer.status == 200
            own = answer.pair
