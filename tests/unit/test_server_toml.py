"""Settings in a TOML file: keys, types, and the lines about a file that is wrong."""

from pathlib import Path

import pytest

from chatcore_server.errors import SettingsError
from chatcore_server.toml_file import read_toml

NO_TOML = "chatcore.toml can't be read: it is not TOML; look for a quote or a bracket that is not closed."
WRITE = "can't be read: it is not TOML; write `setting = value`, with a text in quotes."


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(content: str | bytes) -> object:
    Path("chatcore.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_toml(Path("chatcore.toml"), must_exist=False)


def test_values_are_the_texts_of_flags() -> None:
    assert read(
        '# a comment\nport = 3_002\nhost = "::1"\norigins = ["https://a.example", "https://b.example"]\n'
        "hosts = []\ntrusted_proxies = '10.0.0.0/8'\nlimit_send = \"1/second\"\n"
    ) == {
        "port": "3002",
        "host": "::1",
        "origins": "https://a.example,https://b.example",
        "hosts": "",
        "trusted_proxies": "10.0.0.0/8",
        "limit_send": "1/second",
    }


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "\ufeff"])
def test_file_without_keys_has_no_settings(content: str) -> None:
    assert read(content) == {}


def test_missing_file_is_refused_only_if_it_was_named() -> None:
    assert read_toml(Path("none.toml"), must_exist=False) == {}
    with pytest.raises(SettingsError, match=r"^--config \(CHATCORE_CONFIG\): none.toml can't be read: No such file"):
        read_toml(Path("none.toml"), must_exist=True)


def test_unreadable_file_is_refused() -> None:
    Path("chatcore.toml").mkdir()
    with pytest.raises(SettingsError, match=r"^chatcore.toml can't be read: Is a directory\.$"):
        read_toml(Path("chatcore.toml"), must_exist=False)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"host = '\xff'", "chatcore.toml can't be read: it is not written in UTF-8."),
        ("prot = 1", "prot in chatcore.toml is no setting; did you mean port?"),
        ("data-dir = 'geheim'", "data-dir in chatcore.toml is no setting; did you mean data_dir?"),
        ("CHATCORE_SECRET = 'geheim'", "CHATCORE_SECRET in chatcore.toml is no setting; did you mean secret?"),
        ("config = 'a.toml'", "config in chatcore.toml is no setting; `chatcore config` lists the settings."),
        (
            "[serve]\nport = 1",
            "serve in chatcore.toml is no setting; settings stand outside of tables.",
        ),
        ('"\\u001b[31m" = 1', "\\x1b[31m in chatcore.toml is no setting; `chatcore config` lists the settings."),
        ("port = '3001'", "port in chatcore.toml must be a number, without quotes."),
        ("port = 3001.0", "port in chatcore.toml must be a number, without quotes."),
        ("port = true", "port in chatcore.toml must be a number, without quotes."),
        ("limits = false", "limits in chatcore.toml must be a text in quotes."),
        ("secret = 1234567890", "secret in chatcore.toml must be a text in quotes."),
        ("secret = ['geheim']", "secret in chatcore.toml must be a text in quotes."),
        ("host.name = 'a'", "host in chatcore.toml must be a text in quotes."),
        ("origins = [1]", "origins in chatcore.toml must be a text in quotes, or an array of such texts."),
        ("hosts = 1979-05-27", "hosts in chatcore.toml must be a text in quotes, or an array of such texts."),
        ("\nhost = localhost", 'Line 2 of chatcore.toml, host, can\'t be read; write host = "…"'),
        ('secret = "geheim', 'Line 1 of chatcore.toml, secret, can\'t be read; write secret = "…"'),
        ("port 3001", "Line 1 of chatcore.toml, port, can't be read; write port = …"),
        ("port = 1\nport = 2", "Line 2 of chatcore.toml, port, can't be read: it is there twice."),
        ("CHATCORE_PORT=x", f"Line 1 of chatcore.toml {WRITE}"),
        ("= geheim", f"Line 1 of chatcore.toml {WRITE}"),
        ("hosts = ['geheim'", NO_TOML),
        ("secret = '''geheim", NO_TOML),
        ("port = " + "9" * 5000, NO_TOML),
        ("port = " + "[" * 100_000, NO_TOML),
    ],
)
def test_wrong_file_is_refused_in_one_line_that_names_key_and_remedy(content: str | bytes, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(content)
    assert str(refused.value) == line
