"""Paths and query strings, decoded once, and templates of paths."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.commands.history import History
from chatcore.commands.messages import SendMessage
from chatcore.commands.rooms import ListRooms
from chatcore.errors import Invalid
from chatcore_http.command_routes import typed
from chatcore_http.urls import matches, path_fields, path_segments, query_fields, shape

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(NAMES, NAMES)
def test_name_in_a_path_segment_is_decoded_unchanged(one: str, other: str) -> None:
    segments = path_segments(f"/users/{quote(one, safe='')}/entries/{quote(other, safe='')}")
    assert segments == ["users", one, "entries", other]
    assert path_fields("/users/{with}/entries/{x}", segments) == {"with": one, "x": other}


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("%2F", "/"),
        ("a%2Fb", "a/b"),
        ("%252F", "%2F"),
        ("{user}", "{user}"),
        ("+", "+"),
        ("%7e", "~"),
        ("%F0%9F%98%80", "\N{GRINNING FACE}"),
        ("", ""),
        ("..", ".."),
    ],
)
def test_segment_is_decoded_once(segment: str, text: str) -> None:
    assert path_segments(f"/{segment}") == [text]


@pytest.mark.parametrize("segment", ["%ff", "%FF%fe", "%", "%2", "%zz", "a%", "%ed%a0%80", "%c0%af", "\udcff"])
def test_segment_that_is_not_percent_encoded_utf_8_is_none(segment: str) -> None:
    assert path_segments(f"/a/{segment}/b") == ["a", None, "b"]


@pytest.mark.parametrize(
    ("template", "path", "is_match"),
    [
        ("/rooms", "/rooms", True),
        ("/rooms", "/rooms/", False),
        ("/rooms/{room}", "/rooms/", True),
        ("/rooms/{room}", "/rooms/a%2Fb", True),
        ("/rooms/{room}", "/rooms/a/b", False),
        ("/rooms/{room}", "/rooms/%ff", True),
        ("/rooms/{room}", "/roo%6ds/x", True),
        ("/rooms/{room}", "/Rooms/x", False),
        ("/rooms/{room}/messages", "/rooms/x/%ff", False),
        ("/rooms/{room}/messages", "//x/messages", False),
    ],
)
def test_template_is_matched_segment_by_segment(template: str, path: str, is_match: bool) -> None:
    assert matches(shape(template), path_segments(path)) is is_match


def test_shape_of_a_template_does_not_depend_on_field_names() -> None:
    assert shape("/rooms/{room}/members/{self}") == shape("/rooms/{r}/members/{user}")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1&b=x%26y", {"a": "1", "b": "x&y"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=x+y%2B", {"a": "x y+"}),
        ("%61=1", {"a": "1"}),
    ],
)
def test_query_fields_returns_each_parameter(query: str, fields: dict[str, str]) -> None:
    assert query_fields(query) == fields


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("a", "a"),
        ("a=", "a"),
        ("b=1&a=", "a"),
        ("a=1&a=1", "a"),
        ("a=1&%61=1", "a"),
        ("a=%ff", "a"),
        ("a=%", "a"),
        ("&", None),
        ("a=1&", None),
        ("=1", None),
        ("%ff=1", None),
    ],
)
def test_empty_repeated_or_undecodable_parameter_is_refused(query: str, field: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        query_fields(query)
    assert refused.value.field == field


@pytest.mark.parametrize("text", ["0", "7", "200", "9007199254740992"])
def test_digits_become_an_integer_for_integer_fields(text: str) -> None:
    assert typed(History, {"before": text, "anchor": text, "room": text}) == {
        "before": int(text),
        "anchor": int(text),
        "room": text,
    }
    assert typed(ListRooms, {"limit": text, "after": text}) == {"limit": int(text), "after": text}


@pytest.mark.parametrize(
    "text", ["-1", "+1", " 1", "1 ", "1.0", "1e2", "0x1", "01", "00", "1_0", "\u0665", "\uff11", "9" * 17, "true", ""]
)
def test_other_text_stays_text_for_the_command_to_refuse(text: str) -> None:
    assert typed(History, {"before": text, "anchor": text}) == {"before": text, "anchor": text}


def test_true_and_false_become_booleans_for_boolean_fields() -> None:
    assert typed(History, {"messages_only": "true"}) == {"messages_only": True}
    assert typed(History, {"messages_only": "false"}) == {"messages_only": False}
    assert typed(History, {"messages_only": "1", "room": "true"}) == {"messages_only": "1", "room": "true"}
    assert typed(SendMessage, {"reply_to": "true", "nonsense": "5"}) == {"reply_to": "true", "nonsense": "5"}
