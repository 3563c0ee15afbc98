"""The wire contract's page tells the truth: what it shows is executed, and what is served is shown."""

import re
from pathlib import Path

import pytest

from chatcore.commands.table import COMMANDS
from tests.integration.protocol_examples import PAGE, Play, lines
from tests.integration.serving import serving

PUSHES = {"ready", "room", "entry", "bye"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_every_example_of_the_contract_does_what_it_shows(tmp_path: Path) -> None:
    async with serving(tmp_path, "--store", "memory") as server:
        play = Play(server.url)
        try:
            for line in lines():
                await play.line(line)
        finally:
            await play.end()
    assert set(COMMANDS) <= play.shown["events"]
    assert play.shown["pushes"] == PUSHES
    for command in COMMANDS.values():
        for route in command.routes:
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", route.path)
            assert any(re.fullmatch(f"{route.method} {pattern}", made) for made in play.shown["requests"]), route


def test_commands_that_are_served_are_not_marked_not_yet_and_the_others_are() -> None:
    rows = re.findall(
        r"^\| (`[a-z.` ]+`) \|.*\| (served|\*\*not yet\*\*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    said = {name: today == "served" for names, today in rows for name in re.findall(r"`([^`]+)`", names)}
    assert {name for name, served in said.items() if served} == set(COMMANDS)
