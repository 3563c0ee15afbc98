"""People at the chat page, each in a browser of their own."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from attrs import frozen
from playwright.async_api import Browser, BrowserContext, Locator, Page

from tests.integration.browser import Watch, watch
from tests.integration.serve_client import PASSWORD
from tests.integration.serving import TIMEOUT_S

NOT_THERE = "Failed to load resource"
"""How Chromium's console begins to complain of a request that was refused, or found no server."""


@frozen
class PageUser:
    """A user at the page."""

    name: str
    page: Page
    seen: Watch

    @property
    def composer(self) -> Locator:
        return self.page.locator("#composer")

    @property
    def bodies(self) -> Locator:
        """The texts of the messages in the open room."""
        return self.page.locator(".message .body")

    @property
    def rooms(self) -> Locator:
        """The rooms at the left."""
        return self.page.locator(".list .room")

    def room(self, title: str) -> Locator:
        return self.rooms.filter(has=self.page.locator(".name", has_text=title))

    def message(self, body: str) -> Locator:
        return self.page.locator(".message", has=self.page.locator(".body", has_text=body))

    async def sign_in(self, password: str = PASSWORD) -> None:
        await self.page.get_by_label("User name").fill(self.name)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.locator("#search").wait_for()

    async def find(self, name: str) -> None:
        """Open the conversation with a person, by the search field."""
        await self.page.locator("#search").fill(name)
        await self.page.locator(".list a", has_text=f"@{name}").click()
        await self.composer.wait_for()

    async def open(self, title: str) -> None:
        """Open a room at the left."""
        await self.room(title).first.click()
        await self.composer.wait_for()

    async def write(self, body: str) -> None:
        await self.composer.fill(body)
        await self.composer.press("Enter")

    async def act(self, body: str, action: str) -> None:
        """Press a button of a message."""
        message = self.message(body)
        await message.hover()
        await message.get_by_role("button", name=action, exact=True).click()

    def complaints(self) -> Sequence[str]:
        """What the browser complained of, but for requests that were refused."""
        return [complaint for complaint in self.seen.complaints if not complaint.startswith(NOT_THERE)]


@asynccontextmanager
async def at_page(browser: Browser, url: str, name: str, **options: Any) -> AsyncGenerator[PageUser]:
    """A user who has signed in at the page, in a context with Playwright's ``options``."""
    async with at_sign_in(browser, url, name, **options) as user:
        await user.sign_in()
        yield user


@asynccontextmanager
async def at_sign_in(browser: Browser, url: str, name: str, **options: Any) -> AsyncGenerator[PageUser]:
    """A user who has opened the page. At the end the browser must not have complained, nor asked another server."""
    context = await browser.new_context(locale="en-GB", **options)
    context.set_default_timeout(TIMEOUT_S * 1000)
    seen = watch(context)
    user = PageUser(name, await context.new_page(), seen)
    try:
        await user.page.goto(f"{url}/")
        yield user
    finally:
        await context.close()
    assert list(user.complaints()) == []
    assert [request for request in seen.requests_beside(url) if not request.startswith(url.replace("http", "ws"))] == []


async def another_tab(user: PageUser) -> PageUser:
    """Return the same user in another tab of the browser."""
    context: BrowserContext = user.page.context
    tab = PageUser(user.name, await context.new_page(), user.seen)
    await tab.page.goto(user.page.url.partition("#")[0])
    await tab.page.locator("#search").wait_for()
    return tab


@frozen
class Api:
    """A user over HTTP, for what a test needs to be there."""

    http: ClientSession
    url: str
    token: str

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.ask("POST", path, json=body)

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, f"{self.url}/api/v1{path}", headers=headers, **options) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()


@asynccontextmanager
async def over_http(url: str, name: str) -> AsyncGenerator[Api]:
    """A user who has signed in over HTTP."""
    async with ClientSession() as http:
        account = {"user": name, "password": PASSWORD}
        async with http.post(f"{url}/api/v1/sessions", json=account) as answer:
            yield Api(http, url, (await answer.json())["access_token"])
