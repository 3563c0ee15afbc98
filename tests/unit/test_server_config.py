"""`chatcore config`: the settings in force, where each comes from, and what it must not show."""

import json
from pathlib import Path

import pytest

from chatcore_server import cli, dotenv_file
from chatcore_server.config_report import masked_address
from tests.readme import README, example

SECRET = "geheim" * 6


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, without settings."""
    monkeypatch.chdir(tmp_path)
    for name in dotenv_file.KNOWN:
        monkeypatch.delenv(name, raising=False)


def table(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Return the value and the source of each setting, as printed."""
    heading, *lines = capsys.readouterr().out.splitlines()
    value, source = heading.index("value"), heading.index("from")
    return {line[:value].rstrip(): (line[value:source].rstrip(), line[source:]) for line in lines}


def test_every_source_of_a_value_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("chatcore.toml").write_text('origins = ["https://b.example", "https://a.example"]\nport = 1\n')
    Path(".env").write_text("CHATCORE_SIGNUP=closed\nCHATCORE_PORT=2\n")
    monkeypatch.setenv("CHATCORE_PORT", "3")
    assert cli.main(["config", "--limit-send", "1/minute"]) == 0
    shown = table(capsys)
    assert list(shown) == [name for name in dotenv_file.KNOWN if name != "CHATCORE_CONFIG"]
    assert {name: row for name, row in shown.items() if row[1] != "default"} == {
        "CHATCORE_PORT": ("3", "environment"),
        "CHATCORE_ORIGINS": ("https://a.example, https://b.example", "chatcore.toml"),
        "CHATCORE_SIGNUP": ("closed", ".env"),
        "CHATCORE_LIMIT_SEND": ("1/minute", "flag"),
    }


def test_what_is_not_set_shows_what_the_server_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config"]) == 0
    shown = table(capsys)
    assert shown["CHATCORE_SECRET"] == ("will be made in chatcore-data/secret", "default")
    assert shown["CHATCORE_HOSTS"] == ("127.0.0.1, [::1], localhost", "default")
    assert shown["CHATCORE_ORIGINS"] == ("same origin", "default")
    assert shown["CHATCORE_TRUSTED_PROXIES"] == ("none", "default")
    assert not list(Path().iterdir())


def test_server_on_all_addresses_answers_to_any_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "--host", "0.0.0.0", "--store", "memory"]) == 0
    shown = table(capsys)
    assert shown["CHATCORE_HOSTS"] == ("any", "default")
    assert shown["CHATCORE_SECRET"] == ("a new one at each start", "default")


def test_json_has_values_and_sources_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.toml").write_text(f'secret = "{SECRET}"\ntrusted_proxies = ["127.0.0.1"]\n')
    assert cli.main(["config", "--json", "--hosts", "*", "--config", "other.toml"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["port"] == {"value": 3001, "source": "default"}
    assert shown["hosts"] == {"value": ["*"], "source": "flag"}
    assert shown["secret"] == {"value": "********", "source": "other.toml"}
    assert shown["trusted_proxies"] == {"value": ["127.0.0.1/32"], "source": "other.toml"}
    assert shown["origins"] == {"value": [], "source": "default"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secret_and_password_of_the_store_are_never_shown(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text(f"CHATCORE_SECRET={SECRET}\nCHATCORE_STORE=mongodb://bob:geheim@a.example/chat\n")
    assert cli.main(["config", *form]) == 0
    out, err = capsys.readouterr()
    assert "geheim" not in out + err
    assert "mongodb://bob:********@a.example/chat" in out


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sqlite", "sqlite"),
        ("mongodb://localhost/chat", "mongodb://localhost/chat"),
        ("mongodb://bob@a.example:27017,[::1]:2/chat?w=1", "mongodb://bob@a.example:27017,[::1]:2/chat?w=1"),
        ("mongodb+srv://bob:geheim@a.example", "mongodb+srv://bob:********@a.example"),
        ("mongodb://:geheim@a.example/", "mongodb://:********@a.example/"),
        ("mongodb://bob:ge%2Fheim@geheim@a/", "mongodb://bob:********@a/"),
        (
            "mongodb://a/?tlsCertificateKeyFilePassword=geheim&w=1",
            "mongodb://a/?tlsCertificateKeyFilePassword=********&w=1",
        ),
        (
            "mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:geheim",
            "mongodb://a/?authMechanismProperties=********",
        ),
        ("mongodb://%2Ftmp%2Fmongodb.sock/chat", "mongodb://%2Ftmp%2Fmongodb.sock/chat"),
        ("mongodb://bob:geheim/geheim@a.example/chat", "mongodb://********"),
        ("mongodb://bob:geheim?geheim@a.example/chat", "mongodb://********"),
        ("mongodb://bob:1/geheim@a.example", "mongodb://********"),
        ("mongodb://bob:1?x=geheim@a.example", "mongodb://********"),
    ],
)
def test_address_of_the_store_shows_no_password(address: str, shown: str) -> None:
    assert masked_address(address) == shown


def test_wrong_value_ends_with_the_line_of_serve(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    for command in ("serve", "config"):
        assert cli.main([command, "--port", "x"]) == 2
        out, err = capsys.readouterr()
        assert not out
        lines.append(err)
    assert lines[0] == lines[1] == "chatcore: --port must be a whole number from 0 to 65535.\n"


def test_settings_that_do_not_go_together_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "--store", "mongodb://a/chat"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("chatcore: CHATCORE_SECRET must be set if servers share a store")


def test_misspelt_variable_gets_a_warning(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATCORE_PROT", "5")
    assert cli.main(["config"]) == 0
    assert capsys.readouterr().err.splitlines()[-1:] == [
        "chatcore: CHATCORE_PROT in the environment is no setting; did you mean CHATCORE_PORT?"
    ]


def test_toml_file_of_the_readme_is_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("chatcore.toml").write_text(example("toml", "chatcore.toml"))
    assert cli.main(["config", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {name: row["value"] for name, row in shown.items() if row["source"] == "chatcore.toml"} == {
        "port": 3002,
        "origins": ["https://chat.example"],
        "limit_send": "500/10 seconds",
    }


def test_readme_has_every_setting() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in dotenv_file.KNOWN if f"`{name}`" not in text] == []
