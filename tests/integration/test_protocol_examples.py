"""The examples of the wire contract are executed, and its table of commands matches the server."""

import re
from pathlib import Path

import pytest

from chatcore.commands.table import COMMANDS
from tests.integration.protocol_examples import PAGE, Play, examples
from tests.integration.serving import serving

PUSHES = {"ready", "room", "entry", "room.gone", "marker", "typing", "presence", "auth.expiring", "bye"}
SHORT_LIVED = "CHATCORE_ACCESS_TOKEN_S=30"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_examples_of_contract_give_answers_shown(tmp_path: Path) -> None:
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


def test_exactly_unserved_commands_are_marked_not_yet() -> None:
    rows = re.findall(
        r"^\| (`[a-z.` ]+`) \|.*\| (served|\*\*not yet\*\*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    statuses = {name: today == "served" for names, today in rows for name in re.findall(r"`([^`]+)`", names)}
    assert {name for name, served in statuses.items() if served} == set(COMMANDS)
