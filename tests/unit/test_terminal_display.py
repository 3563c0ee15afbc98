"""Text of other users on the terminal, and entries as lines."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chatcore_terminal.display import safe, safe_lines
from chatcore_terminal.options import server_url
from chatcore_terminal.printer import line_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 日本, 👩‍👩‍👧, e\u0301", "plain, ünïcode, 日本, 👩‍👩‍👧, e\u0301"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\bc\0d\x7f", "a\\rb\\x08c\\x00d\\x7f"),
        ("\u202eevil\u2066\u200f\u2028", "\\u202eevil\\u2066\\u200f\\u2028"),
        ("\ud800\ufeff\U000e0041", "\\ud800\\ufeff\\U000e0041"),
        ("two\nlines", "two\\nlines"),
    ],
)
def test_text_can_not_control_the_terminal(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_further_lines_of_a_text_are_indented() -> None:
    assert safe_lines("one\r\n10:00 bob: two\n\tthree\x1b") == "one\n    10:00 bob: two\n        three\\x1b"


NOW = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"kind": "message", "body": "hi"}, "al\\x1b: hi"),
        ({"kind": "message", "body": "", "data": {"a": "\u202e"}}, 'al\\x1b: {"a": "\\u202e"}'),
        ({"kind": "message", "deleted": True}, "al\\x1b: (deleted)"),
        ({"kind": "edited", "body": "a\nb", "target": 1}, "al\\x1b has edited a message: a\n    b"),
        ({"kind": "edited", "target": 1}, "al\\x1b has edited a message"),
        ({"kind": "deleted", "target": 1}, "al\\x1b has deleted a message"),
        ({"kind": "reacted", "emoji": "👍", "on": True}, "al\\x1b has added 👍"),
        ({"kind": "reacted", "emoji": "\x1b", "on": False}, "al\\x1b has taken back \\x1b"),
        ({"kind": "updated", "title": "a\nb"}, "al\\x1b has named the room a\\nb"),
        ({"kind": "role", "user": "bob", "role": "admin"}, "al\\x1b has made bob admin"),
        ({"kind": "joined", "user": "al\x1b"}, "al\\x1b has joined"),
        ({"kind": "invited", "user": "b\x1b"}, "al\\x1b has invited b\\x1b"),
        ({"kind": "opened"}, "al\\x1b has opened the room"),
        ({"kind": "ne\x1bw"}, "al\\x1b has ne\\x1bw the room"),
    ],
)
def test_entry_is_a_line(entry: Mapping[str, Any], text: str) -> None:
    time = datetime.fromisoformat(NOW).astimezone().strftime("%H:%M")
    assert line_of({"author": "al\x1b", "at": NOW, **entry}) == f"{time} {text}"


def test_entry_of_another_day_has_its_date() -> None:
    entry = {"author": "alice", "at": "2020-02-03T12:00:00.000Z", "kind": "message", "body": "hi"}
    day = datetime(2020, 2, 3, 12, tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    assert line_of(entry) == f"{day} alice: hi"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://chat.example/", "https://chat.example"),
        ("http://Chat.Example:3001", "http://chat.example:3001"),
        ("https://example.org/chat/", "https://example.org/chat"),
        ("http://[::1]:3001", "http://[::1]:3001"),
    ],
)
def test_address_of_a_server_has_one_notation(text: str, url: str) -> None:
    assert server_url(text) == url


NO_ADDRESSES = [
    *("", "chat.example", "localhost:3001", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://a b"),
    *("http://[a", "https://alice:geheim@a", "https://a/?token=geheim", "https://a/#geheim", "http://a\x1b"),
]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_of_a_server_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be an address ") as refused:
        server_url(text)
    assert "geheim" not in str(refused.value)
