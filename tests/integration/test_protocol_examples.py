"""The wire contract's page tells the truth: what it shows is executed, and what is served is shown."""

import re
from pathlib import Path

import pytest

from chatcore.commands.table import COMMANDS
from tests.integration.protocol_examples import PAGE, Play, examples
from tests.integration.serving import serving

PUSHES = {"ready", "room", "entry", "room.gone", "marker", "auth.expiring", "bye"}
SHORT_LIVED = "CHATCORE_ACCESS_TOKEN_S=30"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_every_example_of_the_contract_does_what_it_shows(tmp_path: Path) -> None:
    events, pushes, requests = set[str](), set[str](), set[str]()
    for setting in ("", SHORT_LIVED):
        name, _, value = setting.partition("=")
        async with serving(tmp_path, "--store", "memory", environment={name: value} if name else {}) as server:
            play = Play(server.url)
            try:
                for line in examples(setting):
                    await play.line(line)
            finally:
                await play.end()
        events |= play.shown["events"]
        pushes |= play.shown["pushes"]
        requests |= play.shown["requests"]
    assert set(COMMANDS) <= events
    assert pushes == PUSHES
    for command in COMMANDS.values():
        for route in command.routes:
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", route.path)
            assert any(re.fullmatch(f"{route.method} {pattern}", made) for made in requests), route


def test_commands_that_are_served_are_not_marked_not_yet_and_the_others_are() -> None:
    rows = re.findall(
        r"^\| (`[a-z.` ]+`) \|.*\| (served|\*\*not yet\*\*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    said = {name: today == "served" for names, today in rows for name in re.findall(r"`([^`]+)`", names)}
    assert {name for name, served in said.items() if served} == set(COMMANDS)
