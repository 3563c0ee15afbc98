"""The chat page in a real browser: people sign in, write, form groups, and lose and regain the server."""

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.integration.cheap_accounts import make_accounts
from tests.integration.page_users import another_tab, at_page, at_sign_in, over_http
from tests.integration.serve_client import PASSWORD
from tests.integration.serving import Server, serving

pytestmark = pytest.mark.anyio

USERS = [f"{name}{number}" for name in ("ann", "bob", "cat") for number in range(10)]
"""Each test has users of its own."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("page")
    await make_accounts(folder, USERS)
    async with serving(folder, "--limits", "off") as server:
        yield server


async def test_first_message_to_found_person_makes_room_for_both(server: Server, browser: Browser) -> None:
    async with at_page(browser, server.url, "ann0") as ann, at_page(browser, server.url, "bob0") as bob:
        await ann.find("bob0")
        await ann.page.get_by_text("beginning of your conversation").wait_for()
        await bob.page.get_by_text("No conversations yet").wait_for()  # nothing is there before the first message
        await ann.write("Hello Bob!")
        await expect(bob.room("ann0").locator(".badge")).to_have_text("1")
        await expect(bob.room("ann0")).to_contain_text("Hello Bob!")
        await bob.open("ann0")
        await expect(bob.bodies).to_have_text(["Hello Bob!"])
        await expect(ann.message("Hello Bob!").locator(".progress")).to_have_text("read")
        await expect(bob.room("ann0").locator(".badge")).to_have_count(0)
        await bob.composer.press_sequentially("Hi")
        await expect(ann.page.locator(".typing")).to_contain_text("is typing…")
        await bob.composer.press("Enter")
        await expect(ann.bodies).to_have_text(["Hello Bob!", "Hi"])
        await expect(ann.page.locator(".typing")).to_have_text("")
        await expect(ann.page.locator(".head")).to_contain_text("online")


async def test_session_outlives_reload_and_ends_with_sign_out(server: Server, browser: Browser) -> None:
    async with at_sign_in(browser, server.url, "Zoë") as zoe:
        page = zoe.page
        await page.get_by_role("button", name="Create account").click()
        await page.get_by_label("User name").fill("Zoë")
        await page.get_by_label("Your name").fill("Zoë Z.")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Create account").click()
        await page.get_by_text("No conversations yet").wait_for()
        await page.reload()
        await page.get_by_text("No conversations yet").wait_for()
        await page.get_by_role("button", name="Account and help").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Zoë Z.")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("Password").wait_for()
        await page.reload()
        await page.get_by_label("User name").fill("zoë")
        await page.get_by_label("Password").fill("a wrong password")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("No conversations yet").wait_for()


async def test_group_is_created_joined_by_invitation_and_left(server: Server, browser: Browser) -> None:
    async with AsyncExitStack() as stack:
        ann, bob, cat = [
            await stack.enter_async_context(at_page(browser, server.url, name)) for name in ("ann1", "bob1", "cat1")
        ]
        await ann.page.get_by_role("button", name="New group or room").click()
        await ann.page.get_by_label("Title").fill("Hike")
        await ann.page.get_by_label("Add people").fill("bob1")
        await ann.page.locator("dialog .person", has_text="@bob1").click()
        await ann.page.get_by_role("button", name="Create").click()
        await ann.write("Who comes?")
        await bob.open("Hike")
        await expect(bob.bodies).to_have_text(["Who comes?"])

        await ann.page.get_by_role("button", name="Details").click()
        await ann.page.get_by_label("Invite").fill("cat1")
        await ann.page.locator("dialog .person", has_text="@cat1").first.click()
        await expect(ann.page.locator("dialog li", has_text="@cat1")).to_contain_text("invited")
        await cat.page.get_by_role("button", name="Accept").click()
        await cat.open("Hike")
        await expect(cat.bodies).to_have_text(["Who comes?"])
        await cat.write("I do")
        await expect(bob.bodies).to_have_text(["Who comes?", "I do"])

        row = ann.page.locator("dialog li", has_text="@bob1")
        await row.locator("summary").click()
        await row.get_by_role("button", name="Make admin").click()
        await expect(row).to_contain_text("admin")
        row = ann.page.locator("dialog li", has_text="@cat1")
        await row.locator("summary").click()
        await row.get_by_role("button", name="Remove").click()
        await cat.page.get_by_text("you are not a member").wait_for()
        await expect(cat.room("Hike")).to_have_count(0)

        await bob.page.get_by_role("button", name="Details").click()
        await bob.page.get_by_role("button", name="Leave room").click()
        await bob.page.get_by_role("dialog", name="Leave this room?").get_by_role("button", name="Leave room").click()
        await expect(bob.room("Hike")).to_have_count(0)
        await expect(ann.page.locator(".line").last).to_contain_text("left")


async def test_public_room_is_found_seen_and_joined(server: Server, browser: Browser) -> None:
    async with over_http(server.url, "bob2") as bob, at_page(browser, server.url, "ann2") as ann:
        await bob.post("/rooms", {"kind": "public", "title": "Gardening", "key": "garden"})
        await ann.page.locator("#search").fill("gard")
        await ann.page.locator(".list a", has_text="Gardening").click()
        await ann.page.get_by_role("button", name="Join").click()
        await ann.write("Hello gardeners")
        await expect(ann.bodies).to_have_text(["Hello gardeners"])
        await expect(ann.room("Gardening")).to_contain_text("You: Hello gardeners")


async def test_messages_are_edited_answered_reacted_to_and_deleted(server: Server, browser: Browser) -> None:
    async with at_page(browser, server.url, "ann3") as ann, at_page(browser, server.url, "bob3") as bob:
        await ann.find("bob3")
        await ann.write("Lunch at eleven?")
        await bob.open("ann3")
        await ann.composer.press("ArrowUp")
        await expect(ann.composer).to_have_value("Lunch at eleven?")
        await ann.composer.fill("Lunch at noon?")
        await ann.composer.press("Enter")
        await expect(bob.message("Lunch at noon?").locator(".meta")).to_contain_text("edited")

        await bob.act("Lunch at noon?", "Reply")
        await bob.write("Gladly, @ann3")
        answer = ann.message("Gladly")
        await expect(answer.locator(".quote")).to_contain_text("Lunch at noon?")
        await expect(answer.locator("mark")).to_have_text("@ann3")
        await expect(ann.page.locator(".mentioned")).to_have_count(1)

        await ann.act("Gladly", "React")
        await ann.page.get_by_role("button", name="React with 👍").click()
        reaction = bob.message("Gladly").locator(".reactions button")
        await expect(reaction).to_have_text("👍 1")
        await reaction.click()
        await expect(ann.message("Gladly").locator(".reactions button")).to_have_text("👍 2")

        await ann.act("Lunch at noon?", "Delete")
        await ann.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(bob.bodies).to_have_text(["Message deleted", "Gladly, @ann3"])
        await bob.page.reload()  # the same from the server
        await expect(bob.bodies).to_have_text(["Message deleted", "Gladly, @ann3"])
        await expect(bob.message("Gladly").locator(".reactions button")).to_have_text("👍 2")


async def test_page_offline_keeps_what_is_written_until_server_is_back(browser: Browser, tmp_path: Path) -> None:
    await make_accounts(tmp_path, ["ann", "bob"])
    async with AsyncExitStack() as stack:
        async with serving(tmp_path) as server:
            ann = await stack.enter_async_context(at_page(browser, server.url, "ann"))
            bob = await stack.enter_async_context(at_page(browser, server.url, "bob"))
            await ann.find("bob")
            await ann.write("before")
            await bob.open("ann")
            await expect(bob.bodies).to_have_text(["before"])
        await ann.page.locator(".banner", has_text="Offline").wait_for()
        for body in ("one", "two", "three"):
            await ann.write(body)
        await expect(ann.page.locator(".message.sending")).to_have_count(3)
        await bob.write("from bob")
        async with serving(tmp_path, port=server.port):
            await expect(ann.page.locator(".banner")).to_have_count(0)
            await expect(ann.page.locator(".message.sending")).to_have_count(0)
            for user in (ann, bob):
                await expect(user.bodies).to_have_count(5)
                texts = await user.bodies.all_text_contents()
                assert [text for text in texts if text != "from bob"] == ["before", "one", "two", "three"]
            assert await ann.bodies.all_text_contents() == await bob.bodies.all_text_contents()
            await stack.aclose()


async def test_two_tabs_of_user_show_the_same_and_sign_out_together(server: Server, browser: Browser) -> None:
    async with at_page(browser, server.url, "ann4") as ann, at_page(browser, server.url, "bob4") as bob:
        tab = await another_tab(ann)
        await ann.find("bob4")
        await ann.write("from the first tab")
        await tab.open("bob4")
        await tab.write("from the second tab")
        for user in (ann, tab):
            await expect(user.bodies).to_have_text(["from the first tab", "from the second tab"])
        await bob.open("ann4")
        await bob.write("to both")
        for user in (ann, tab):
            await expect(user.bodies).to_have_count(3)
        await expect(ann.room("bob4").locator(".badge")).to_have_count(0)
        await tab.page.get_by_role("button", name="Account and help").click()
        await tab.page.get_by_role("button", name="Sign out").click()
        for user in (ann, tab):
            await user.page.get_by_label("Password").wait_for()


async def test_unread_messages_are_marked_and_reached(server: Server, browser: Browser) -> None:
    async with over_http(server.url, "bob5") as bob:
        for number in range(120):
            await bob.post("/users/ann5/messages", {"body": f"number {number}", "key": f"unread-{number}"})
        async with at_page(browser, server.url, "ann5") as ann:
            await expect(ann.room("bob5").locator(".badge")).to_have_text("99+")
            await expect(ann.page).to_have_title("(100) chatcore")
            await ann.open("bob5")
            await ann.page.get_by_role("button", name="unread messages: go to the first").click()
            await expect(ann.page.locator(".new")).to_be_in_viewport()
            await expect(ann.message("number 0").first).to_be_in_viewport()
            await ann.page.get_by_role("button", name="Go to the newest message").click()
            await expect(ann.message("number 119")).to_be_in_viewport()
            await expect(ann.room("bob5").locator(".badge")).to_have_count(0)
            await bob.post("/users/ann5/messages", {"body": "one more", "key": "one more"})
            await expect(ann.message("one more")).to_be_in_viewport()
            await expect(ann.page).to_have_title(re.compile("^bob5 . chatcore$"))


async def test_history_is_scrolled_without_jumps_and_with_at_most_300_messages(
    server: Server, browser: Browser
) -> None:
    async with over_http(server.url, "bob6") as bob:
        for number in range(420):
            body = f"number {number} " + "word " * (number % 40)
            await bob.post("/users/ann6/messages", {"body": body, "key": f"history-{number}"})
        await bob.post("/users/ann6/messages", {"body": "the last", "key": "history-last"})
        async with at_page(browser, server.url, "ann6") as ann:
            await ann.open("bob6")
            await expect(ann.message("the last")).to_be_in_viewport()
            jumps = await ann.page.evaluate(SCROLL_UP)
            assert await ann.message("number 0 ").count() == 1
            assert jumps == {"most": pytest.approx(0, abs=2), "messages": 300}
            await ann.page.get_by_role("button", name="Go to the newest message").click()
            await expect(ann.message("the last")).to_be_in_viewport()


SCROLL_UP = """async () => {
  const scroller = document.querySelector(".scroller");
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const items = () => [...scroller.querySelectorAll("li.message")];
  const inView = () => items().find((item) => item.getBoundingClientRect().top >= 60);
  let most = 0, messages = 0;
  for (let rounds = 0; rounds < 2000 && !document.querySelector("[data-seq='1']"); rounds++) {
    scroller.scrollTop -= 400;
    await frame();
    const item = inView();
    const { top } = item.getBoundingClientRect();
    for (let frames = 0; frames < 3; frames++) await frame();
    if (item.isConnected) most = Math.max(most, Math.abs(item.getBoundingClientRect().top - top));
    messages = Math.max(messages, items().length);
  }
  return { most, messages };
}"""
"""Scrolls to the first message. Returns by how many pixels a message has moved by itself, and how many there were."""
