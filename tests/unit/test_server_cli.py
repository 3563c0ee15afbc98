"""Settings from flags, the environment, `.env` and chatcore.toml: their precedence, and the errors of wrong values.

The server is not started.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_type_hints

import attrs
import pytest

from chatcore.ports.rate_limiter import Rate
from chatcore_http import Hosts, Origins, Proxies
from chatcore_server import cli, dotenv_file
from chatcore_server.settings import Settings

NUMBER = "must be a whole number from"
RATE = "must be a rate"
WRONG = [
    ("HOST", "", "is empty"),
    ("HOST", "   ", "is empty"),
    ("PORT", "", NUMBER),
    ("PORT", "http", NUMBER),
    ("PORT", "-1", NUMBER),
    ("PORT", "1.5", NUMBER),
    ("PORT", "0x10", NUMBER),
    ("PORT", "3_001", NUMBER),
    ("PORT", "+3001", NUMBER),
    ("PORT", " 3001", NUMBER),
    ("PORT", "\u0663\u0660\u0660\u0661", NUMBER),
    ("PORT", "65536", NUMBER),
    ("PORT", "true", NUMBER),
    ("PORT", "None", NUMBER),
    ("PORT", "[3001]", NUMBER),
    ("DATA_DIR", "", "is empty"),
    ("STORE", "", "must be one of: sqlite, memory, mongodb://…"),
    ("STORE", "postgresql://bob:geheim@localhost/", "must be one of: sqlite, memory, mongodb://…"),
    ("STORE", "SQLITE", "must be one of: sqlite, memory, mongodb://…"),
    ("SECRET", "", "has 0 bytes; a secret has at least 32"),
    ("SECRET", "geheimgeheimgeheimgeheimgeheim!", "has 31 bytes; a secret has at least 32"),
    ("SECRET", "[bold]geheim", "has 12 bytes; a secret has at least 32"),
    ("ORIGINS", "", "is empty, or has an empty place"),
    ("ORIGINS", ",", "is empty, or has an empty place"),
    ("ORIGINS", "https://a.example,", "is empty, or has an empty place"),
    ("ORIGINS", "*", "must name the origins"),
    ("ORIGINS", "https://a.example,*", "must name the origins"),
    ("ORIGINS", "https://*.example", "must name the origins"),
    ("ORIGINS", "my.example", "must hold origins such as"),
    ("ORIGINS", "https://chat.example/", "must hold origins such as"),
    ("ORIGINS", "null", "must hold origins such as"),
    ("ORIGINS", '["https://chat.example"]', "must hold origins such as"),
    ("HOSTS", "", "is empty, or has an empty place"),
    ("HOSTS", "a.example,", "is empty, or has an empty place"),
    ("HOSTS", "a.example,*", "must be * alone"),
    ("HOSTS", "*.example", "must be * alone"),
    ("HOSTS", "https://a.example", "must hold hosts such as"),
    ("HOSTS", "a.example:3001", "must hold hosts such as"),
    ("HOSTS", "a.example/", "must hold hosts such as"),
    ("HOSTS", "[::x]", "must hold hosts such as"),
    ("ACCESS_TOKEN_S", "", NUMBER),
    ("ACCESS_TOKEN_S", "0", NUMBER),
    ("ACCESS_TOKEN_S", "-900", NUMBER),
    ("ACCESS_TOKEN_S", "15m", NUMBER),
    ("ACCESS_TOKEN_S", "9e2", NUMBER),
    ("ACCESS_TOKEN_S", "86401", NUMBER),
    ("ROOM_MEMBERS_MAX", "1", NUMBER),
    ("ROOM_MEMBERS_MAX", "5001", NUMBER),
    ("LIMITS", "", "must be one of: on, off"),
    ("LIMITS", "0", "must be one of: on, off"),
    ("LIMITS", "false", "must be one of: on, off"),
    ("PRESENCE", "no", "must be one of: on, off"),
    ("SIGNUP", "shut", "must be one of: open, closed"),
    ("SOCKETS_PER_ADDRESS", "0", NUMBER),
    ("TRUSTED_PROXIES", "", "must hold addresses or networks"),
    ("TRUSTED_PROXIES", "127.0.0.1,", "must hold addresses or networks"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "must hold addresses or networks"),
    ("TRUSTED_PROXIES", "proxy.example", "must hold addresses or networks"),
    ("TRUSTED_PROXIES", "*", "must hold addresses or networks"),
    ("LIMIT_SIGN_IN", "10", RATE),
    ("LIMIT_SIGN_IN", "0/minute", RATE),
    ("LIMIT_SIGN_IN_ADDRESS", "10/fortnight", RATE),
    ("LIMIT_SIGN_IN_NAME", "off", RATE),
    ("LIMIT_SIGN_UP", "", RATE),
    ("LIMIT_SEND", "500", RATE),
    ("LIMIT_SEND_ROOM", "1/2/3", RATE),
    ("LIMIT_CREATE", "x/hour", RATE),
    ("LIMIT_INVITE", "1.5/hour", RATE),
    ("LIMIT_CONNECT", "-1/second", RATE),
]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, without settings, and without a change of the log."""
    monkeypatch.chdir(tmp_path)
    for name in dotenv_file.KNOWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("chatcore_server.log.configure", lambda: None)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Record the settings of a start instead of starting the server."""
    settings_of_starts: list[Settings] = []

    async def serve(settings: Settings, announce: Callable[[Sequence[object]], None]) -> None:
        settings_of_starts.append(settings)

    monkeypatch.setattr("chatcore_server.serving.serve", serve)
    return settings_of_starts


def flag(name: str) -> str:
    return "--" + name.lower().replace("_", "-")


def test_every_setting_has_a_wrong_value_in_the_tests() -> None:
    assert {f"CHATCORE_{name}" for name, _, _ in WRONG} == set(dotenv_file.KNOWN) - {"CHATCORE_CONFIG"}


def in_toml(name: str, value: str) -> str:
    """Return the line of chatcore.toml for a value: an integer bare, everything else as a text."""
    is_integer = get_type_hints(Settings)[name.lower()] is int and value.removeprefix("-").isdecimal()
    return f"{name.lower()} = {value if is_integer and value.isascii() else json.dumps(value)}\n"


def _refused(capsys: pytest.CaptureFixture[str], value: str) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("chatcore: ")
    assert len(value.strip()) < 5 or value not in line
    return line.removeprefix("chatcore: ")


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
@pytest.mark.parametrize("source", ["flag", "environment", ".env", "chatcore.toml"])
def test_wrong_setting_ends_with_one_line_that_names_it_and_the_reason(
    name: str, value: str, why: str, source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["serve"]
    match source:
        case "flag":
            arguments.append(f"{flag(name)}={value}")
            where = flag(name)
        case "environment":
            monkeypatch.setenv(f"CHATCORE_{name}", value)
            where = f"CHATCORE_{name} in the environment"
        case ".env":
            Path(".env").write_text(f"CHATCORE_{name}='{value}'\n", encoding="utf-8")
            where = f"CHATCORE_{name} in .env"
        case _:
            line = in_toml(name, value)
            Path("chatcore.toml").write_text(line, encoding="utf-8")
            where = f"{name.lower()} in chatcore.toml"
            why = "must be a number, without quotes." if why == NUMBER and '"' in line else why
    assert cli.main(arguments) == 2
    assert _refused(capsys, value).startswith(f"{where} {why}")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serve", "--prot", "1"], "Unknown option: --prot. Did you mean --port?"),
        (["serve", "--port"], 'Command "serve" parameter --port requires an argument.'),
        (["serve", "--port", "1", "--port", "2"], "Parameter --port specified multiple times."),
        (
            ["serve", "geheim"],
            "`chatcore serve` takes fewer arguments; see `chatcore serve --help`.",
        ),
        (
            ["sevre"],
            f'Unknown command "sevre". Did you mean "serve"? Available commands: {", ".join(cli.COMMANDS)}.',
        ),
    ],
)
def test_wrong_command_line_ends_with_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    assert _refused(capsys, "geheim") == line


def test_unreadable_dotenv_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_bytes(b"CHATCORE_PORT=\xff\n")
    assert cli.main(["serve"]) == 2
    assert _refused(capsys, "") == ".env can't be read: it is not written in UTF-8."


def test_settings_have_defaults(started: list[Settings]) -> None:
    assert cli.main(["serve"]) == 0
    (settings,) = started
    assert attrs.asdict(settings, recurse=False, filter=lambda attribute, _: attribute.name != "origins") == {
        "host": "127.0.0.1",
        "port": 3001,
        "store": "sqlite",
        "data_dir": Path("chatcore-data"),
        "secret": None,
        "hosts": None,
        "access_token_s": 900,
        "room_members_max": 5_000,
        "signup": "open",
        "presence": "on",
        "trusted_proxies": Proxies(),
        "sockets_per_address": 4_096,
        "limits": "on",
        "limit_sign_in": Rate(10, 300),
        "limit_sign_in_address": Rate(100, 300),
        "limit_sign_in_name": Rate(100, 300),
        "limit_sign_up": Rate(300, 3600),
        "limit_send": Rate(2000, 10),
        "limit_send_room": Rate(10_000, 10),
        "limit_create": Rate(200, 3600),
        "limit_invite": Rate(2000, 3600),
        "limit_connect": Rate(6000, 60),
    }
    assert not settings.origins.allowed


VALUES = {
    "HOST": ("::1", "0.0.0.0", "localhost"),
    "PORT": ("1", "2", "3"),
    "DATA_DIR": ("flag", "a b", "/srv/x=y"),
    "STORE": ("memory", "sqlite", "memory"),
    "SECRET": ("f" * 32, '{$e} "quoted" # and no comment here', "d" * 40),
    "ORIGINS": ("https://f.example", "https://e.example,http://e.example:1", "https://d.example"),
    "HOSTS": ("f.example", "e.example,[::1]", "d.example"),
    "ACCESS_TOKEN_S": ("1", "2", "3"),
    "ROOM_MEMBERS_MAX": ("2", "30", "5000"),
    "SIGNUP": ("closed", "open", "closed"),
    "PRESENCE": ("off", "on", "off"),
    "SOCKETS_PER_ADDRESS": ("1", "20", "300"),
    "TRUSTED_PROXIES": ("127.0.0.1/32,::1/128", "10.0.0.0/8", "2001:db8::/32"),
    "LIMITS": ("off", "on", "off"),
    "LIMIT_SIGN_IN": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_SIGN_IN_ADDRESS": ("1/hour", "2/5 hours", "3/day"),
    "LIMIT_SIGN_IN_NAME": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_SIGN_UP": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_SEND": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_SEND_ROOM": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_CREATE": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_INVITE": ("1/second", "2/5 seconds", "3/minute"),
    "LIMIT_CONNECT": ("1/second", "2/5 seconds", "3/minute"),
}
"""The values in a flag, in the environment and in .env. That in chatcore.toml is the one in the flag."""


@pytest.mark.parametrize("name", VALUES)
def test_flag_precedes_environment_and_then_come_dotenv_and_toml(
    name: str, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flag, in_environment, in_file = VALUES[name]
    Path("chatcore.toml").write_text(in_toml(name, in_flag))
    assert cli.main(["serve"]) == 0
    Path(".env").write_text(f"CHATCORE_{name}='{in_file}'\nCHATCORE_NONSENSE=1\nOTHER=1\n")
    assert cli.main(["serve"]) == 0
    monkeypatch.setenv(f"CHATCORE_{name}", in_environment)
    assert cli.main(["serve"]) == 0
    assert cli.main(["serve", flag(name), in_flag]) == 0
    values = [getattr(settings, name.lower()) for settings in started]
    assert [_written(value) for value in values] == [in_flag, in_file, in_environment, in_flag]


def _written(value: object) -> str:
    match value:
        case bytes():
            return value.decode()
        case Proxies():
            return ",".join(map(str, value.trusted))
        case Origins() | Hosts():
            return ",".join(sorted(value.allowed or (), reverse=True))
        case _:
            return str(value)


def test_help_of_migrate_shows_only_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["migrate", "--help"])
    shown = capsys.readouterr().out
    assert [flag(name) for name in VALUES if f"{flag(name)} " in shown] == ["--data-dir", "--store"]


def test_wrong_value_of_lower_precedence_is_ignored(started: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("chatcore.toml").write_text("port = 65536\n")
    Path(".env").write_text("CHATCORE_PORT=x\n")
    monkeypatch.setenv("CHATCORE_PORT", "5")
    assert cli.main(["serve"]) == 0
    assert started[0].port == 5


def test_unknown_chatcore_variable_gets_a_warning_and_is_ignored(
    started: list[Settings], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHATCORE_PROT", "5")
    Path(".env").write_text("CHATCORE_STOER=memory\n")
    assert cli.main(["serve"]) == 0
    assert [message for message in caplog.messages if "TEST" not in message] == [
        "CHATCORE_PROT in the environment is no setting; did you mean CHATCORE_PORT?",
        "CHATCORE_STOER in .env is no setting; did you mean CHATCORE_STORE?",
    ]


def test_variable_without_the_chatcore_prefix_is_ignored(
    started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PORT", "HOST", "chatcore_port", "XCHATCORE_PORT"):
        monkeypatch.setenv(name, "5")
    assert cli.main(["serve"]) == 0
    assert (started[0].port, started[0].host) == (3001, "127.0.0.1")


@pytest.mark.parametrize("source", ["flag", "environment", ".env"])
def test_another_toml_file_is_read_instead(
    source: str, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("chatcore.toml").write_text("port = 1\n")
    Path("other.toml").write_text("port = 2\n")
    arguments = ["serve"]
    match source:
        case "flag":
            arguments.append("--config=other.toml")
        case "environment":
            monkeypatch.setenv("CHATCORE_CONFIG", "other.toml")
        case _:
            Path(".env").write_text("CHATCORE_CONFIG=other.toml\n")
    assert cli.main(arguments) == 0
    assert started[0].port == 2


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("none.toml", "--config (CHATCORE_CONFIG): none.toml can't be read: No such file or directory."),
        ("", "CHATCORE_CONFIG in the environment is empty."),
        (" ", "CHATCORE_CONFIG in the environment is empty."),
        ("\x1b[31m", "CHATCORE_CONFIG in the environment holds a character that can't be printed."),
        (".", ". can't be read: Is a directory."),
    ],
)
def test_named_toml_file_that_can_not_be_read_is_refused(
    value: str, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATCORE_CONFIG", value)
    assert cli.main(["serve"]) == 2
    assert _refused(capsys, "\x1b") == line


def test_migrate_takes_its_settings_from_a_toml_file_that_has_more(capsys: pytest.CaptureFixture[str]) -> None:
    Path("chatcore.toml").write_text('port = 65536\nstore = "memory"\n')
    assert cli.main(["migrate"]) == 2
    assert _refused(capsys, "") == "--store (CHATCORE_STORE) is memory: there is nothing to migrate."
