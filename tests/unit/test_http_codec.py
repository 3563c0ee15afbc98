"""The codec accepts only JSON that all readers interpret alike."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.domain.serialization import INTEGER_MAX, JSON_DEPTH_MAX
from chatcore.errors import Invalid
from chatcore_http import codec
from chatcore_http.codec import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)

REFUSED: dict[str, str | bytes] = {
    "a member name twice": '{"a": 1, "a": 1}',
    "a member name twice, compact": '{"a":1,"a":1}',
    "an integer above 2^53 in a compact list": f"[{2**53 + 1}]",
    "a member name twice, once escaped": r'{"a": 1, "\u0061": 2}',
    "a member name twice, deep inside": '[{"x": {"a": 1, "b": 2, "a": 3}}]',
    "NaN": '{"a": NaN}',
    "Infinity": "[Infinity]",
    "minus Infinity": "-Infinity",
    "a number that is infinite": "1e999",
    "a number that is minus infinite": "[-1e999]",
    "an integer above 2^53": str(2**53 + 1),
    "an integer below -2^53": f"[{-(2**53) - 1}]",
    "an integer of 60,000 digits": "9" * 60_000,
    "a lone high surrogate": r'"\ud800"',
    "a lone low surrogate": r'"x\udfff"',
    "surrogates in the wrong order": r'"\udc00\ud800"',
    "a lone surrogate in a member name": r'{"\ud800": 1}',
    "a lone surrogate that is not escaped": '"\ud800"',
    "one level too many": "[" * (JSON_DEPTH_MAX + 1) + "]" * (JSON_DEPTH_MAX + 1),
    "60,000 levels, never closed": "[" * 60_000,
    "30,000 levels of objects": '{"a":' * 30_000 + "1" + "}" * 30_000,
    "bytes that are not UTF-8": b'"\xff"',
    "UTF-8 that encodes a surrogate": b'"\xed\xa0\x80"',
    "an overlong encoding": b'"\xc0\xaf"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "nothing": "",
    "only space": "  ",
    "two values": "{} {}",
    "a comma too many": "[1,]",
    "a comment": "{} // x",
    "a name without quotes": "{a: 1}",
    "single quotes": "{'a': 1}",
    "a control character in a text": '"\x01"',
    "a line's end in a text": '"a\nb"',
    "a zero in front": "01",
    "a plus in front": "+1",
    "digits of another script": "\u0665",
    "a number without a fraction": "1.",
    "hexadecimal": "0x10",
    "a space that is none": "\u00a0{}",
    "Python": "None",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_json_that_readers_interpret_differently_is_refused(text: str | bytes) -> None:
    with pytest.raises(Invalid):
        decode(text)


@given(VALUES)
def test_json_of_the_standard_library_is_decoded_unchanged(value: object) -> None:
    text = json.dumps(value)
    assert decode(text) == decode(text.encode()) == value
    assert type(decode(text)) is type(value)


@given(VALUES)
def test_encoded_json_is_decoded_unchanged(value: object) -> None:
    assert decode(encode(value)) == value


NUMBERS = (
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1.50",
    "1e3",
    "1E3",
    "1e22",
    "1e999",
    *(str(2**53 + n) for n in (-1, 0, 1)),
    "1" * 20,
)
LITERALS = st.sampled_from(
    [*NUMBERS, "true", "false", "null", "NaN", '"a"', '"\u00e9"', '"é"', r'"\u0061"', r'"\/"', r'"\ud83d"', '""']
)


def written_objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return compact texts of objects, whose names may repeat."""
    members = st.lists(st.tuples(st.sampled_from(['"a"', '"b"', r'"\u0061"', '""']), inner), max_size=4)
    return members.map(lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}")


TEXTS = st.recursive(
    LITERALS,
    lambda inner: st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]") | written_objects(inner),
    max_leaves=12,
)


@given(TEXTS)
@example(f"[{2**53}]")
@example(f"[{2**53 + 1}]")
@example('{"a":1,"a":1}')
def test_text_that_encodes_to_itself_is_decoded_as_the_strict_decoder_does(text: str) -> None:
    """The codec has a faster way for such texts."""
    try:
        expected: object = codec._decoded_strictly(text, JSON_DEPTH_MAX)
    except Invalid:
        with pytest.raises(Invalid):
            decode(text)
        return
    assert repr(decode(text)) == repr(decode(text.encode())) == repr(expected)


@pytest.mark.parametrize("value", [INTEGER_MAX, -INTEGER_MAX, 0, 1.5, 5e-324, 1.7976931348623157e308])
def test_largest_exact_numbers_are_decoded(value: float) -> None:
    assert decode(json.dumps(value)) == value


def test_surrogate_pair_is_one_character() -> None:
    assert decode(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("around", [0, 1])
def test_depth_is_counted_from_the_outermost_level_of_the_client(around: int) -> None:
    depth = JSON_DEPTH_MAX + around
    assert decode("[" * depth + "]" * depth, nesting=around) is not None
    with pytest.raises(Invalid, match="deeper than 32 levels"):
        decode("[" * (depth + 1) + "]" * (depth + 1), nesting=around)


def test_refusal_contains_no_part_of_the_text() -> None:
    for text in REFUSED.values():
        with pytest.raises(Invalid) as refused:
            decode(text)
        assert refused.value.field is None
        assert refused.value.__cause__ is None
        assert refused.value.message.isascii()


def test_encoded_json_is_compact_and_in_utf_8() -> None:
    assert encode({"a": [1, "é"], "b": None}) == '{"a":[1,"é"],"b":null}'.encode()
