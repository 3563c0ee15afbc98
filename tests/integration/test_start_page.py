"""The page at `/start`: its three steps run in a shell as printed, also behind a path prefix."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from attrs import frozen

from tests.integration.clients import TIMEOUT_S
from tests.integration.javascript import HERE, NODE, NPM, install_package
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio

JSDOM = "jsdom@26.1.0"
PREFIX = "/some/where"

WebSocket: TypeAlias = web.WebSocketResponse | ClientWebSocketResponse


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a program that renders the page like a browser."""
    folder = tmp_path_factory.mktemp("browser")
    install_package(folder, JSDOM)
    program = folder / "steps.mjs"
    program.write_bytes((HERE / "steps.mjs").read_bytes())
    return program


@frozen
class Shown:
    """The visible content of the page: commands, and the targets of links."""

    steps: Sequence[str]
    links: Sequence[str]


async def shown(browser: Path, url: str) -> Shown:
    process = await asyncio.create_subprocess_exec(NODE, str(browser), url, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    return Shown(**json.loads(printed))


@asynccontextmanager
async def prefix_proxy(server: Server) -> AsyncGenerator[str]:
    """A proxy that serves the server below `PREFIX`, without the prefix in forwarded paths. Yields its URL."""

    async def passed(request: web.Request) -> web.StreamResponse:
        url = server.url + request.raw_path.removeprefix(PREFIX)
        if request.headers.get("Upgrade"):
            return await passed_websocket(request, url)
        headers = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        async with http.request(request.method, url, headers=headers, data=await request.read()) as answer:
            content_type = answer.headers["Content-Type"]
            return web.Response(status=answer.status, body=await answer.read(), headers={"Content-Type": content_type})

    async def passed_websocket(request: web.Request, url: str) -> web.StreamResponse:
        down = web.WebSocketResponse()
        async with http.ws_connect(url) as up:
            await down.prepare(request)
            sending = asyncio.create_task(pump(down, up))
            await pump(up, down)
            sending.cancel()
        return down

    app = web.Application()
    app.router.add_route("*", PREFIX + "/{rest:.*}", passed)
    runner = web.AppRunner(app, shutdown_timeout=1)
    async with ClientSession() as http:
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{site.port}{PREFIX}"
        finally:
            await runner.cleanup()


async def pump(source: WebSocket, target: WebSocket) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)


async def lines_of(folder: Path, steps: Sequence[str], count: int) -> Sequence[str]:
    """Type the steps into a shell, and return the first lines of its output. Its programs end as by Ctrl-C."""
    path = f"{commands(folder / 'bin')}{os.pathsep}{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        "bash",
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "npm_config_loglevel": "silent", **certificates()},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert shell.stdin
    assert shell.stdout
    try:
        shell.stdin.write("\n".join([*steps, ""]).encode())
        async with asyncio.timeout(4 * TIMEOUT_S):
            return [(await shell.stdout.readline()).decode().rstrip("\n") for _ in range(count)]
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        await shell.wait()


def commands(folder: Path) -> Path:
    """A folder with `node` and `npm`."""
    folder.mkdir()
    for name, command in {"node": NODE, "npm": f"{NODE} {NPM}"}.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    return folder


def certificates() -> dict[str, str]:
    """Return the environment that a machine needs to reach npm's registry."""
    return {
        name: value for name, value in os.environ.items() if "CERT" in name or "PROXY" in name.upper() or "CA" in name
    }


async def check(browser: Path, folder: Path, url: str) -> None:
    page = await shown(browser, f"{url}/start")
    assert page.steps[0].startswith(f"url={url}\n")
    users, first, silent, *answers = await lines_of(folder, page.steps, 5)
    assert json.loads(users) == {"user": "alice"}
    assert json.loads(first) == {"user": "bob"}
    assert json.loads(silent)["seq"] == 1
    assert answers == ["alice: Hello Bob!", "bob: Hello Alice!"]
    async with ClientSession() as http:
        for link in page.links:
            async with http.get(link) as answer:
                assert answer.status == 200, link


async def test_steps_of_page_work_as_printed(tmp_path: Path, browser: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server:
        await check(browser, tmp_path, server.url)


async def test_steps_of_page_work_behind_path_prefix(tmp_path: Path, browser: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server, prefix_proxy(server) as url:
        await check(browser, tmp_path, url)


async def test_page_without_scripts_shows_requested_address(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, "--store", "memory") as server,
        ClientSession() as http,
        http.get(f"{server.url}/start") as answer,
    ):
        assert answer.content_type == "text/html"
        assert f'url=<span class="url">{server.url}</span>' in await answer.text()


async def test_page_says_whether_sign_up_is_closed(tmp_path: Path) -> None:
    pages = []
    for signup in ("open", "closed"):
        async with (
            serving(tmp_path, "--store", "memory", "--signup", signup) as server,
            ClientSession() as http,
            http.get(f"{server.url}/start") as answer,
        ):
            pages.append(await answer.text())
    assert ["Sign-up is closed" in page for page in pages] == [False, True]
    assert not any("{{" in page for page in pages)


async def test_page_allows_only_its_own_scripts_and_styles(tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory", "--hosts", "*") as server, ClientSession() as client:
        async with client.get(f"{server.url}/start") as answer:
            page, headers = await answer.text(), answer.headers
        async with client.get(f"{server.url}/start", headers={"Host": 'x"><script>alert(1)</script>'}) as answer:
            assert "alert" not in await answer.text()
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(re.findall("'sha256-", policy)) == page.count("<script>") + page.count("<style>") == 2
    assert not re.findall(r"(?:src|href|url)\s*=?\s*[\"'(]\s*(?:https?:)?/", page)
    assert " style=" not in page
    assert not re.findall(r"<[^>]* on\w+=", page)
    assert "{{" not in page
    assert 'name="viewport"' in page
