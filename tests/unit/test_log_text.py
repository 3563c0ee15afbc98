"""Texts of log lines, which may come from a client without an account."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore_server.log_text import bounded, indented, masked, printable, printable_json

ACCESS = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
REFRESH = f"m2Hn0Jb5oM3PZ0bq3cS9_w.12.{'s' * 43}"
WORDS = st.text("eyJa.-_ 1\x1b\n", max_size=100)


@pytest.mark.parametrize("token", [ACCESS, REFRESH])
@pytest.mark.parametrize(
    "around", ["{}", "Bearer {}", "x{}", "{}.", "token={}&", "'{}'", "a.b.{}", "{}.c", "…{}x", "{0}{0}"]
)
def test_token_is_masked_in_any_surrounding_text(token: str, around: str) -> None:
    result = masked(around.format(token))
    assert "[token]" in result
    assert token.rpartition(".")[2] not in result


@pytest.mark.parametrize(
    "text", ["", "version 1.2.3", "www.example.org", "eyJ.a.b", "eyJa.b", f"{'x' * 16}.a.{'s' * 43}"]
)
def test_text_without_a_token_is_unchanged(text: str) -> None:
    assert masked(text) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["a", "eyJ", "eyJa.", f"{'a' * 15}.", f"{'a' * 16}.1.", "1", ".", "-", "é"])
def test_masking_takes_linear_time(part: str) -> None:
    """Linear time is milliseconds, quadratic time would be minutes."""
    text = part * (1024 * 1024 // len(part))
    assert masked(text).count(part) in (0, text.count(part))


@given(WORDS, WORDS, st.sampled_from([ACCESS, REFRESH]), st.integers(20, 300))
def test_truncated_text_has_no_part_of_a_token(before: str, behind: str, token: str, most: int) -> None:
    result = masked(bounded(f"{before} {token} {behind}", most))
    assert token[:12] not in result
    assert token[-12:] not in result


@given(st.text(), st.integers(2, 50))
def test_bounded_text_has_both_ends_and_the_count_between(text: str, most: int) -> None:
    result = bounded(text, most)
    if len(text) <= most:
        assert result == text
        return
    note = re.search(r"\[(\d+) characters left out\]", result)
    assert note
    head, tail = result[: note.start()], result[note.end() :]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) == len(text) - int(note[1]) <= most


@given(st.text())
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.startswith("    ") for line in indented(text).split("\n"))


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\nb\r\x1b[31m\x9b\u2028\u202e\udcff é") == r"a\nb\r\x1b[31m\x9b\u2028\u202e\udcff é"


@given(st.dictionaries(st.text(), st.text()))
def test_printable_json_has_the_same_value(value: dict[str, str]) -> None:
    result = printable_json(json.dumps(value, ensure_ascii=False))
    assert result.isprintable()
    assert json.loads(result) == value
