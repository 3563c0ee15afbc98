"""The chat page and what it must withstand: hostile text, other origins, a keyboard alone, a screen reader, a phone."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from tests.integration.cheap_accounts import make_accounts
from tests.integration.page_users import at_page, at_sign_in, over_http
from tests.integration.serve_client import PASSWORD
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio

USERS = [f"{name}{number}" for name in ("ann", "bob", "cat") for number in range(6)]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCRIPTS = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script> &lt;b&gt; {{7*7}} ${7*7}"
LINKS = "javascript:alert(1) data:text/html,x https://example.org/a?b=c#d. (http://example.com/x_(y)) https://bank.example@evil.example/"
OVERRIDES = "\u202emoc.elpmaxe//:sptth\u202c https://example.org/\u202efdp.exe \u2067 right \u2066 left"
ZERO_WIDTH = "\u200b\u200d\ufeff\u2060 a\u0300\u0301\u0302\u0303\u0304 z\u0337\u0338\u0335\u0336" * 20
EMOJI = "👩‍👩‍👧‍👦" * 655  # 16,375 bytes
TITLE = "\u202e\u2066<b>Title</b>\u200b" + "W" * 150


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("page")
    await make_accounts(folder, USERS)
    async with serving(folder, "--limits", "off") as server:
        yield server


async def is_as_wide_as_window(page: Page) -> bool:
    """Return whether nothing makes the page scroll sideways."""
    wide: bool = await page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(".scroller, .list, .message, .bubble")]
            .every((element) => element.scrollWidth <= element.clientWidth + 1)"""
    )
    return wide


async def test_hostile_text_stays_text_in_its_place(server: Server, browser: Browser) -> None:
    async with over_http(server.url, "bob0") as bob, at_page(browser, server.url, "ann0") as ann:
        room = await bob.post("/rooms", {"kind": "group", "title": TITLE, "members": ["ann0"], "key": "hostile"})
        bodies = [SCRIPTS, LINKS, OVERRIDES, ZERO_WIDTH, EMOJI, "line\n" * 400, "W" * 5000]
        for number, body in enumerate(bodies):
            await bob.post(f"/rooms/{room['room']}/messages", {"body": body, "key": f"hostile-{number}"})
        await ann.open("<b>Title</b>")
        await expect(ann.bodies).to_have_count(len(bodies))
        shown = await ann.bodies.all_text_contents()
        assert shown[:4] == bodies[:4]
        assert EMOJI.startswith(shown[4].removesuffix("…"))
        assert "taken" not in await ann.page.title()
        links = ann.page.locator(".body a")
        hrefs = await links.evaluate_all("links => links.map((link) => [link.href, link.rel, link.target])")
        safe = ["noopener noreferrer", "_blank"]
        assert hrefs == [
            ["https://example.org/a?b=c#d", *safe],
            ["http://example.com/x_(y)", *safe],
            ["https://example.org/", *safe],
        ]
        assert await ann.page.locator(".body img, .body script, .body b, .name b").count() == 0
        assert await is_as_wide_as_window(ann.page)
        await ann.page.get_by_role("button", name="Show all").first.click()
        await expect(ann.bodies.nth(4)).to_have_text(EMOJI)
        await ann.page.set_viewport_size({"width": 390, "height": 844})
        assert await is_as_wide_as_window(ann.page)


async def test_whole_journey_is_possible_with_keyboard_alone(server: Server, browser: Browser) -> None:
    async with at_page(browser, server.url, "bob1") as bob, at_sign_in(browser, server.url, "ann1") as ann:
        keys = ann.page.keyboard
        await expect(ann.page.get_by_label("User name")).to_be_focused()
        await keys.type("ann1")
        await keys.press("Tab")
        await keys.type(PASSWORD)
        await keys.press("Enter")
        await ann.page.get_by_text("No conversations yet").wait_for()
        await keys.press("Control+k")
        await keys.type("bob1")
        await ann.page.locator(".list a", has_text="@bob1").wait_for()
        await keys.press("ArrowDown")
        await keys.press("Enter")
        await expect(ann.composer).to_be_focused()
        await keys.type("first line")
        await keys.press("Shift+Enter")
        await keys.type("second line")
        await keys.press("Enter")
        await expect(ann.bodies).to_have_text(["first line\nsecond line"], use_inner_text=True)
        await bob.open("ann1")
        await bob.write("an answer")
        await expect(ann.page.locator("[role=status]").last).to_contain_text("an answer")  # announced

        await keys.press("Shift+Tab")
        await expect(ann.page.locator(".scroller")).to_be_focused()
        await keys.press("ArrowUp")
        await expect(ann.message("an answer")).to_be_focused()
        await keys.press("Tab")
        await expect(ann.page.get_by_role("button", name="React")).to_be_focused()
        await keys.press("Enter")
        await expect(ann.page.get_by_role("button", name="React with 👍")).to_be_focused()
        await keys.press("Enter")
        await expect(bob.message("an answer").locator(".reactions")).to_have_text("👍 1")
        await expect(ann.message("an answer")).to_be_focused()
        for _ in range(3):  # the reaction, "React", "Reply"
            await keys.press("Tab")
        await keys.press("Enter")
        await expect(ann.composer).to_be_focused()
        await keys.press("Escape")
        await expect(ann.page.locator(".context")).to_have_count(0)
        await keys.press("ArrowUp")
        await expect(ann.composer).to_have_value("first line\nsecond line")
        await keys.press("Control+a")
        await keys.type("one line")
        await keys.press("Enter")
        await expect(bob.bodies.first).to_have_text("one line")

        details = ann.page.get_by_role("button", name="Details")
        await details.focus()
        await keys.press("Enter")
        await ann.page.get_by_role("dialog").wait_for()
        await keys.press("Escape")
        await expect(ann.page.get_by_role("dialog")).to_have_count(0)
        await expect(details).to_be_focused()


async def test_enter_of_input_method_sends_nothing(server: Server, browser: Browser) -> None:
    async with at_page(browser, server.url, "ann2") as ann:
        await ann.find("bob2")
        session = await ann.page.context.new_cdp_session(ann.page)
        await session.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
        await ann.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "isComposing": True})
        await ann.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
        await session.send("Input.insertText", {"text": "日本"})
        await expect(ann.composer).to_have_value("日本")
        await expect(ann.bodies).to_have_count(0)
        await ann.composer.press("Enter")
        await expect(ann.bodies).to_have_text(["日本"])


async def test_phone_has_list_and_conversation_as_two_views(server: Server, browser: Browser) -> None:
    async with over_http(server.url, "bob3") as bob, at_page(browser, server.url, "ann3", **PHONE) as ann:
        await bob.post("/users/ann3/messages", {"body": "Hello", "key": "phone"})
        await ann.open("bob3")
        await expect(ann.room("bob3")).not_to_be_visible()
        await ann.composer.fill("one")
        await ann.composer.press("Enter")  # a touch keyboard's Enter begins a line
        await ann.composer.press_sequentially("two")
        await ann.page.get_by_role("button", name="Send").click()
        await expect(ann.bodies.last).to_have_text("one\ntwo", use_inner_text=True)
        await ann.message("Hello").tap()
        await ann.page.get_by_role("button", name="Reply").tap()
        await expect(ann.page.locator(".context")).to_contain_text("Hello")
        await ann.page.go_back()
        await expect(ann.composer).to_have_count(0)
        await ann.open("bob3")
        await ann.page.get_by_role("button", name="Back to the list").click()
        await expect(ann.room("bob3")).to_be_visible()
        assert await is_as_wide_as_window(ann.page)


async def test_draft_and_failed_message_are_kept(server: Server, browser: Browser) -> None:
    async with over_http(server.url, "bob4") as bob, at_page(browser, server.url, "ann4") as ann:
        await bob.post("/users/ann4/messages", {"body": "Hello", "key": "draft"})
        await bob.post("/users/cat4/messages", {"body": "Hello", "key": "draft"})
        await ann.open("bob4")
        await ann.composer.fill("half a sen")
        await ann.find("cat4")
        await expect(ann.composer).to_have_value("")
        await expect(ann.room("bob4")).to_contain_text("Draft: half a sen")
        await ann.page.reload()
        await ann.open("bob4")
        await expect(ann.composer).to_have_value("half a sen")

        await bob.ask("PUT", "/blocks/ann4")
        await ann.write("not welcome")
        await ann.page.get_by_text("Not sent. You may not do that.").wait_for()
        await bob.ask("DELETE", "/blocks/ann4")
        await ann.page.get_by_role("button", name="Try again").click()
        await expect(ann.message("not welcome").locator(".progress")).to_contain_text("sent")
        await bob.ask("PUT", "/blocks/ann4")
        await ann.write("not welcome either")
        await ann.page.get_by_role("button", name="Discard").click()
        await expect(ann.bodies).to_have_text(["Hello", "not welcome"])


async def test_accessibility_rules_find_nothing_serious(server: Server, browser: Browser, node_modules: Path) -> None:
    axe = await asyncio.to_thread((node_modules / "axe-core" / "axe.min.js").read_text, "utf-8")

    async def found(page: Page) -> object:
        await page.evaluate(axe)
        violations = await page.evaluate("async () => (await axe.run()).violations")
        return [
            (violation["id"], [node["html"][:200] for node in violation["nodes"]])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ]

    for scheme in ("light", "dark"):
        async with (
            over_http(server.url, "bob5") as bob,
            at_sign_in(browser, server.url, "ann5", color_scheme=scheme, bypass_csp=True) as ann,
        ):
            assert await found(ann.page) == []
            await ann.sign_in()
            room = await bob.post(
                "/rooms", {"kind": "group", "title": f"Tea {scheme}", "members": ["ann5", "cat5"], "key": scheme}
            )
            invitation = await bob.post("/rooms", {"kind": "group", "title": "Cake", "key": f"cake {scheme}"})
            await bob.ask("PUT", f"/rooms/{invitation['room']}/invitations/ann5")
            path = f"/rooms/{room['room']}/messages"
            first = await bob.post(path, {"body": "Who? https://example.org", "key": f"1 {scheme}"})
            await bob.post(
                path, {"body": "@ann5?", "mentions": ["ann5"], "reply_to": first["seq"], "key": f"2 {scheme}"}
            )
            await bob.ask("PUT", f"{path}/{first['seq']}/reactions/👍")
            await ann.open(f"Tea {scheme}")
            await ann.write("I do")
            await ann.message("Who?").hover()
            await expect(ann.page.locator(".progress.sent, .progress.read")).to_have_count(1)
            assert await found(ann.page) == []
            for button in ("Details", "New group or room", "Account and help"):
                await ann.page.get_by_role("button", name=button).click()
                await ann.page.get_by_role("dialog").wait_for()
                assert await found(ann.page) == []
                await ann.page.keyboard.press("Escape")
            await ann.page.locator("#search").fill("tea")
            await ann.page.locator("h2").first.wait_for()
            assert await found(ann.page) == []


async def test_page_of_another_origin_can_neither_use_nor_frame_the_chat(server: Server, browser: Browser) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=f'<iframe src="{server.url}/"></iframe>', content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with at_page(browser, server.url, "cat0") as cat:
            other = await cat.page.context.new_page()
            await other.goto(f"http://localhost:{port}/")
            assert await other.evaluate(FROM_OUTSIDE, server.url) == ["refused", "refused", "refused"]
            frame = other.frames[1]
            assert await frame.locator("#page").count() == 0
            await other.close()
            await cat.page.reload()
            await cat.page.locator("#search").wait_for()  # the session is as it was
            cat.seen.complaints.clear()
            cat.seen.requests[:] = [request for request in cat.seen.requests if f":{port}/" not in request]
    finally:
        await runner.cleanup()


FROM_OUTSIDE = """async (url) => {
  const json = { "Content-Type": "application/json" };
  const options = { method: "POST", credentials: "include", headers: json };
  const post = (path, body) => fetch(`${url}/api/v1/${path}`, { ...options, body })
    .then((answer) => `answered ${answer.status}`, () => "refused");
  const socket = new Promise((resolve) => {
    const opened = new WebSocket(`${url.replace("http", "ws")}/ws`);
    opened.onopen = () => resolve("opened");
    opened.onerror = () => resolve("refused");
  });
  return [
    await post("sessions/refresh", "{}"),
    await post("sessions", JSON.stringify({ user: "cat0", password: "correct horse", cookie: true })),
    await socket,
  ];
}"""
