"""The page at `/`: how its files are served, and how a browser takes them."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser

from tests.integration.browser import watch
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    async with serving(tmp_path_factory.mktemp("page"), "--store", "memory") as server:
        yield server


async def test_browser_loads_page_without_complaint_and_from_this_server_alone(
    server: Server, browser: Browser
) -> None:
    context = await browser.new_context()
    seen = watch(context)
    page = await context.new_page()
    await page.goto(f"{server.url}/", wait_until="networkidle")
    await page.wait_for_selector("h1")
    await context.close()
    assert seen.complaints == []
    assert f"{server.url}/page/vendor/preact.mjs" in seen.requests
    assert seen.requests_beside(server.url) == []
