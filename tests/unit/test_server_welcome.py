"""The welcome text of a started server."""

import pytest

from chatcore_server.settings import Settings
from chatcore_server.welcome import welcome


@pytest.mark.parametrize("scheme", ["mongodb", "mongodb+srv"])
@pytest.mark.parametrize(
    "userinfo", ["", "bob@", "bob:geheim@", "bob:geheim@geheim@", "bob:ge%40he%2Fim@", ":geheim@", "bob:geheim#@"]
)
@pytest.mark.parametrize(
    ("path", "database"),
    [
        ("", "chatcore"),
        ("/", "chatcore"),
        ("/chat", "chat"),
        ("/ch%C3%A4t", "chät"),
        ("/chat?appname=a@geheim", "chat"),
        ("/?a=b/@geheim", "chatcore"),
        ("?appname=a@geheim/b", "chatcore"),
    ],
)
def test_mongodb_address_is_shown_as_hosts_and_database_only(
    scheme: str, userinfo: str, path: str, database: str
) -> None:
    for hosts in ("h", "h:27018", "a.example:1,[::1]:2", "%2Ftmp%2Fmongodb.sock"):
        text = welcome(Settings(store=f"{scheme}://{userinfo}{hosts}{path}"), [("127.0.0.1", 3001)])
        assert f"Data is kept in MongoDB at {hosts}, database {database}. Press Ctrl-C to stop." in text


@pytest.mark.parametrize(
    ("host", "port", "end"),
    [
        ("127.0.0.1", 3001, "login alice --sign-up"),
        ("0.0.0.0", 3001, "login alice --sign-up"),
        ("127.0.0.1", 3002, "login alice --sign-up --url http://localhost:3002"),
        ("::1", 3001, "login alice --sign-up --url http://[::1]:3001"),
    ],
)
def test_sign_up_names_the_server_unless_it_is_the_default(host: str, port: int, end: str) -> None:
    assert welcome(Settings(store="memory"), [(host, port)]).endswith(end)


def test_closed_server_does_not_say_how_to_sign_up() -> None:
    assert "login" not in welcome(Settings(store="memory", signup="closed"), [("127.0.0.1", 3001)])
