"""The page at `/`: how its files are served, and how a browser takes them."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Error, Route

import chatcore_web
from chatcore_web import MISSING, page_endpoints
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


async def test_every_file_is_served_as_its_type_without_sniffing(server: Server) -> None:
    async with ClientSession() as http:
        for url in (server.url + endpoint.path for endpoint in page_endpoints()):
            async with http.get(url) as answer:
                assert (answer.status, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
                assert answer.headers["Cache-Control"] == "no-cache"
                assert await answer.read()
                tag = answer.headers["ETag"]
            async with http.head(url) as head:
                assert (head.status, head.headers["ETag"], await head.read()) == (200, tag, b"")
                assert head.headers["Content-Length"] == answer.headers["Content-Length"]
            async with http.get(url, headers={"If-None-Match": tag}) as kept:
                assert (kept.status, kept.headers["ETag"], await kept.read()) == (304, tag, b"")


async def test_page_is_not_served_for_the_name_of_another_site(server: Server) -> None:
    async with ClientSession() as http, http.get(server.url, headers={"Host": "elsewhere.example"}) as answer:
        assert answer.status == 421
        assert "<script" not in await answer.text()


async def test_server_without_third_party_files_says_so_and_shows_the_first_steps(tmp_path: Path) -> None:
    package = Path(chatcore_web.__file__).parent
    shutil.copytree(package, tmp_path / "chatcore_web", ignore=shutil.ignore_patterns("vendor", "__pycache__"))
    environment = {"PYTHONPATH": str(tmp_path)}
    async with (
        serving(tmp_path, "--store", "memory", environment=environment) as server,
        ClientSession() as http,
        http.get(f"{server.url}/") as answer,
        http.get(f"{server.url}/page/main.js") as module,
        http.get(f"{server.url}/start") as start,
    ):
        text = (await answer.text()).replace("&#x27;", "'")
        assert (answer.status, module.status, start.status) == (200, 404, 200)
        assert f">{MISSING}</p>" in text
        assert "Two users sign up" in text
        assert MISSING not in (await start.text()).replace("&#x27;", "'")


async def test_browser_loads_page_without_complaint_and_from_this_server_alone(
    server: Server, browser: Browser
) -> None:
    context = await browser.new_context()
    seen = watch(context)
    page = await context.new_page()
    await page.goto(f"{server.url}/", wait_until="networkidle")
    await page.wait_for_selector("form")
    await context.close()
    assert seen.complaints == []
    assert {f"{server.url}/page/vendor/preact.mjs", f"{server.url}/page/styles.css"} <= set(seen.requests)
    assert seen.requests_beside(server.url) == []


async def test_planted_script_does_not_run(server: Server, browser: Browser) -> None:
    context = await browser.new_context()
    seen = watch(context)
    page = await context.new_page()

    async def plant(route: Route) -> None:
        answer = await route.fetch()
        scripts = "<script>window.ran = true</script><script src='data:text/javascript,window.ran=true'></script>"
        await route.fulfill(response=answer, body=(await answer.text()).replace("</body>", f"{scripts}</body>"))

    await page.route(f"{server.url}/", plant)
    await page.goto(f"{server.url}/", wait_until="networkidle")
    assert await page.evaluate("window.ran") is None
    await context.close()
    assert len(seen.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in seen.complaints)


async def test_no_script_can_make_html_of_a_text(server: Server, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{server.url}/")
    with pytest.raises(Error, match="TrustedHTML"):
        await page.evaluate("document.body.innerHTML = '<b>text</b>'")
    await context.close()
