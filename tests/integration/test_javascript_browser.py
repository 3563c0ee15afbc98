"""The JavaScript client in a browser: tabs of one user share a store in IndexedDB, and are closed and reloaded."""

from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.integration.cheap_accounts import make_accounts
from tests.integration.serve_client import sign_in
from tests.integration.serving import Server, serving

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(200)]

CONNECT = """async ([url, token]) => {
  const { browserStore, connect } = await import("chatcore-client");
  window.client = connect({ url, token, store: browserStore("alice") });
  window.room = client.room({ with: "bob" });
  room.messages.subscribe(() => {});
}"""
SHOWS = """([bodies, state]) => {
  const shown = room.messages.snapshot().map((message) => `${message.state} ${message.body}`);
  return shown.join("\\n") === bodies.map((body) => `${state} ${body}`).join("\\n");
}"""
STATE = "(state) => client.status.snapshot().state === state"
SEND = "(bodies) => void bodies.forEach((body) => room.send(body))"
STORED = """async (count) => {
  const { browserStore } = await import("chatcore-client");
  return (await browserStore("alice").load()).length === count;
}"""
LONG_MS = 60_000


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def tab_of(context: BrowserContext, server: Server, token: str) -> Page:
    """Open a tab whose client is online."""
    tab = await context.new_page()
    await tab.goto(server.url)
    await tab.evaluate(CONNECT, [server.url, token])
    await tab.wait_for_function(STATE, arg="online", timeout=LONG_MS)
    return tab


async def shows(tab: Page, bodies: Sequence[str], state: str) -> None:
    await tab.wait_for_function(SHOWS, arg=[bodies, state], timeout=LONG_MS)


async def test_messages_of_tabs_closed_while_offline_are_sent_once(browser: Browser, tmp_path: Path) -> None:
    await make_accounts(tmp_path, ["alice", "bob"])
    context = await browser.new_context()
    async with aiohttp.ClientSession() as http:
        async with serving(tmp_path, "--limits", "off") as server:
            token = (await sign_in(http, server.url, "alice")).token
            tabs = [await tab_of(context, server, token) for _ in range(2)]
            port = server.port
        sent = []
        for number, tab in enumerate(tabs):
            bodies = [f"tab {number}, {message}" for message in range(3)]
            await tab.wait_for_function(STATE, arg="offline", timeout=LONG_MS)
            await tab.evaluate(SEND, bodies)
            await shows(tab, bodies, "sending")
            sent += bodies
            await tab.wait_for_function(STORED, arg=len(sent), timeout=LONG_MS)
            await tab.close()
        async with serving(tmp_path, "--limits", "off", port=port) as server:
            for tab in [await tab_of(context, server, token) for _ in range(2)]:
                await shows(tab, sent, "sent")
                await tab.wait_for_function(STORED, arg=0, timeout=LONG_MS)
            entries = await (await sign_in(http, server.url, "bob")).entries("alice")
            assert [entry["body"] for entry in entries] == sent
    await context.close()
