"""Takes the pictures of the chat page that are in `docs/page`: ``python -m tests.integration.page_pictures``."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from tests.integration.browser import chromium, launched
from tests.integration.cheap_accounts import make_accounts
from tests.integration.page_users import Api, at_page, over_http
from tests.integration.serving import serving

FOLDER = Path(__file__).parents[2] / "docs" / "page"
USERS = ("anna", "ben", "carla", "dmitri", "emre", "fatima", "grace", "hugo", "ida", "jonas")
SIZES: Mapping[str, Mapping[str, Any]] = {
    "desktop": {"viewport": {"width": 1000, "height": 640}},
    "phone": {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True},
}


async def main() -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        await make_accounts(folder, USERS)
        server = await stack.enter_async_context(serving(folder, "--limits", "off"))
        people = {user: await stack.enter_async_context(over_http(server.url, user)) for user in USERS}
        await converse(people)
        browser = await stack.enter_async_context(launched(chromium()))
        for size, options in SIZES.items():
            for scheme in ("light", "dark"):
                await take(browser, server.url, f"{size}-{scheme}", {**options, "color_scheme": scheme})


async def converse(people: Mapping[str, Api]) -> None:
    """Make the rooms and messages that the pictures show."""
    for user in USERS[4:]:
        await people[user].post("/users/anna/messages", {"body": "See you tomorrow!", "key": f"{user}-1"})
        await people["anna"].post(f"/users/{user}/messages", {"body": "Sounds good", "key": f"{user}-2"})
    room = await people["anna"].post(
        "/rooms", {"kind": "group", "title": "Weekend hike", "members": ["ben", "carla", "fatima"], "key": "hike"}
    )
    path = f"/rooms/{room['room']}/messages"
    said: Sequence[tuple[str, str, Mapping[str, Any]]] = (
        ("anna", "Good morning! Who is in for Saturday?", {}),
        ("ben", "I am! Meet at the north car park at 8:30?", {}),
        ("ben", "The map: https://example.org/maps/north-ridge", {}),
        ("fatima", "أنا قادمة أيضا، وسأحضر القهوة", {}),
        ("carla", "8:30 works for me. @anna can you take me along?", {"mentions": ["anna"]}),
        ("anna", "Sure, I'll pick you up at 8. Bring a jacket: there may be a shower.", {"reply_to": 3}),
    )
    for number, (user, body, fields) in enumerate(said):
        await people[user].post(path, {"body": body, "key": f"hike-{number}", **fields})
    for user in ("anna", "carla"):
        await people[user].ask("PUT", f"{path}/3/reactions/👍")
    for user in ("anna", "ben", "carla", "fatima"):
        await people[user].ask("PUT", f"/rooms/{room['room']}/marker", json={"read": 7})


async def take(browser: Browser, url: str, name: str, options: Mapping[str, Any]) -> None:
    async with at_page(browser, url, "anna", **options) as anna:
        if name.startswith("phone"):
            await anna.page.get_by_text("See you tomorrow!").or_(anna.room("Weekend hike")).first.wait_for()
            await anna.page.screenshot(path=FOLDER / f"{name}-rooms.png")
        await anna.open("Weekend hike")
        await anna.bodies.last.wait_for()
        await anna.page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
