"""The texts of settings, and the variables that are settings."""

from collections.abc import Callable, Iterable
from pathlib import Path

import attrs
import pytest

from chatcore_http import Headers, Request
from chatcore_server import converters, dotenv_file
from chatcore_server.errors import SettingsError
from chatcore_server.settings import Settings

READERS: dict[str, Callable[[str], object]] = {
    name: getattr(converters, name)
    for name in (
        "port",
        "access_token_s",
        "room_members_max",
        "store",
        "limits",
        "signup",
        "presence",
        "sockets_per_address",
        "secret",
        "text",
        "path",
    )
}

RIGHT = [
    ("port", "0", 0),
    ("port", "3001", 3001),
    ("port", "65535", 65_535),
    ("access_token_s", "1", 1),
    ("access_token_s", "86400", 86_400),
    ("room_members_max", "2", 2),
    ("room_members_max", "5000", 5_000),
    ("store", "memory", "memory"),
    ("store", "sqlite", "sqlite"),
    ("store", "mongodb://bob:secret@a:1,b/chat?w=1", "mongodb://bob:secret@a:1,b/chat?w=1"),
    ("store", "mongodb+srv://cluster.example/", "mongodb+srv://cluster.example/"),
    ("limits", "off", "off"),
    ("signup", "closed", "closed"),
    ("presence", "off", "off"),
    ("sockets_per_address", "1", 1),
    ("sockets_per_address", "1000000", 1_000_000),
    ("secret", "x" * 32, b"x" * 32),
    ("secret", "é" * 16, "é".encode() * 16),
    ("secret", "\udcff" * 32, b"\xff" * 32),
    ("text", "::1", "::1"),
    ("path", "./a b", Path("a b")),
    ("path", "~/data", Path.home() / "data"),
]
NO_INTEGERS = ["", " ", "x", "-1", "+1", " 1", "1.5", "1e3", "0x10", "1_0", "\u0665", "\uff11", "9" * 5000]
WRONG = [
    *[("port", text) for text in [*NO_INTEGERS, "65536"]],
    *[("room_members_max", text) for text in [*NO_INTEGERS, "1", "5001"]],
    *[("access_token_s", text) for text in [*NO_INTEGERS, "0", "86401"]],
    *[("store", text) for text in ["", "SQLite", "postgres", "memory ", "http://a/", "mongodb://a\n"]],
    *[("limits", text) for text in ["", "yes", "OFF"]],
    *[("presence", text) for text in ["", "true", "Off"]],
    *[("signup", text) for text in ["", "shut", "Open"]],
    *[("sockets_per_address", text) for text in [*NO_INTEGERS, "0", "1000001"]],
    *[("secret", text) for text in ["", "x" * 31, "é" * 15]],
    *[("text", text) for text in ["", "  ", "a\0b", "a\nb", "\x1b[31m"]],
    *[("path", text) for text in ["", "  ", "a\0b"]],
]


@pytest.mark.parametrize(("reader", "text", "value"), RIGHT)
def test_valid_text_is_converted(reader: str, text: str, value: object) -> None:
    assert READERS[reader](text) == value


@pytest.mark.parametrize(("reader", "text"), WRONG)
def test_invalid_text_is_refused_without_showing_it(reader: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|is|has|holds) ") as refused:
        READERS[reader](text)
    assert len(str(refused.value).splitlines()) == 1
    assert len(text.strip()) < 2 or text not in str(refused.value)


def test_every_setting_has_a_variable() -> None:
    assert set(dotenv_file.KNOWN) == {
        "CHATCORE_HOST",
        "CHATCORE_PORT",
        "CHATCORE_DATA_DIR",
        "CHATCORE_STORE",
        "CHATCORE_SECRET",
        "CHATCORE_ORIGINS",
        "CHATCORE_HOSTS",
        "CHATCORE_ACCESS_TOKEN_S",
        "CHATCORE_LIMITS",
        "CHATCORE_LIMIT_SIGN_IN",
        "CHATCORE_LIMIT_SIGN_IN_ADDRESS",
        "CHATCORE_LIMIT_SIGN_IN_NAME",
        "CHATCORE_LIMIT_SIGN_UP",
        "CHATCORE_SIGNUP",
        "CHATCORE_PRESENCE",
        "CHATCORE_TRUSTED_PROXIES",
        "CHATCORE_SOCKETS_PER_ADDRESS",
        "CHATCORE_LIMIT_SEND",
        "CHATCORE_LIMIT_SEND_ROOM",
        "CHATCORE_LIMIT_CREATE",
        "CHATCORE_LIMIT_INVITE",
        "CHATCORE_LIMIT_CONNECT",
        "CHATCORE_ROOM_MEMBERS_MAX",
        "CHATCORE_CONFIG",
    }


@pytest.mark.parametrize(
    ("names", "warnings"),
    [
        (["CHATCORE_PORT", "PATH", "chatcore_port", "CHATCORE"], []),
        (["CHATCORE_AS", "CHATCORE_PASSWORD", "CHATCORE_URL"], []),
        (["CHATCORE_PROT"], ["CHATCORE_PROT in the room is no setting; did you mean CHATCORE_PORT?"]),
        (["CHATCORE_DATADIR"], ["CHATCORE_DATADIR in the room is no setting; did you mean CHATCORE_DATA_DIR?"]),
        (["CHATCORE_XQZ"], ["CHATCORE_XQZ in the room is no setting."]),
        (["CHATCORE_B", "CHATCORE_A"], None),
    ],
)
def test_unknown_chatcore_variable_has_a_warning(names: Iterable[str], warnings: list[str] | None) -> None:
    actual = list(dotenv_file.warnings(names, "the room"))
    assert actual == warnings if warnings is not None else len(actual) == 2


def test_refusal_of_an_origin_names_the_setting_that_is_unset(caplog: pytest.LogCaptureFixture) -> None:
    headers = Headers([("Origin", "https://evil.example"), ("Host", "chat.example")])
    refusal = Settings().origins.refusal(Request(method="GET", path="/", headers=headers))
    assert "CHATCORE_ORIGINS" in str(refusal)
    assert "CHATCORE_ORIGINS=https://evil.example" in caplog.text


def test_secret_is_not_in_the_repr_of_settings() -> None:
    secret = "a secret of the tests, of 32 bytes or more"
    assert secret not in repr(Settings(secret=secret.encode()))
    assert not [field for field in attrs.fields(Settings) if "secret" in field.name and field.repr]


def test_dotenv_is_read_literally(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nexport CHATCORE_PORT=5\nCHATCORE_SECRET='${HOME} is not filled in'\nOTHER=1\nCHATCORE_HOST=a\n"
        'CHATCORE_HOST="the last one counts"\nOTHER_BARE\n{ "no": "setting" }\n'
    )
    assert dotenv_file.read_dotenv(file) == {
        "CHATCORE_PORT": "5",
        "CHATCORE_SECRET": "${HOME} is not filled in",
        "CHATCORE_HOST": "the last one counts",
    }


def test_missing_dotenv_or_folder_of_its_name_has_no_settings(tmp_path: Path) -> None:
    assert dotenv_file.read_dotenv(tmp_path / ".env") == {}
    assert dotenv_file.read_dotenv(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"CHATCORE_PORT=\xff\n", "not written in UTF-8"),
        (b"A=1\nCHATCORE_PORT\n", "Line 2 of .*, CHATCORE_PORT, has no value"),
        (b"A=1\n\nCHATCORE_PORT 5\n", "CHATCORE_PORT, can't be read; write CHATCORE_PORT=…"),
        (b"export CHATCORE_SECRET='unclosed\n", "Line 1 of .*, CHATCORE_SECRET, can't be read"),
    ],
)
def test_unreadable_dotenv_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match=why):
        dotenv_file.read_dotenv(tmp_path / ".env")
