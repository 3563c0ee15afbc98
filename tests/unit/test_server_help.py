"""`--help`: every command has examples, and the examples are commands."""

import re
import shlex
from pathlib import Path

import pytest

from chatcore_server import cli


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def examples(text: str) -> list[list[str]]:
    """Return the arguments of the commands in a help text, without what describes them."""
    lines = re.findall(r"^ (?:\d\. .*?: +)?(?:.*\| )?chatcore (\S.*)$", text, re.MULTILINE)
    return [shlex.split(re.split(r" {2,}| [|<] ", line)[0]) for line in lines]


@pytest.mark.parametrize("command", [None, *cli.COMMANDS])
def test_help_has_examples_that_are_commands(command: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"] if command else ["--help"]) == 0
    text = capsys.readouterr().out
    found = examples(text)
    assert [arguments for arguments in found if command in (None, arguments[0])], text
    for arguments in found:
        cli.create_app({}).parse_args(arguments, exit_on_error=False, print_error=False)


def test_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert re.search(rf"^│ {command} +\S", text, re.MULTILINE), text
