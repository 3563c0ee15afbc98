"""JSON on the wire: strict decoding, fast encoding."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

import orjson

from chatcore.domain.serialization import INTEGER_MAX, JSON_DEPTH_MAX
from chatcore.errors import Invalid

_DIGITS_MAX = len(str(-INTEGER_MAX))


def decode(text: str | bytes, *, nesting: int = 0) -> object:
    """Decode a JSON text in UTF-8 (RFC 8259).

    Args:
        text: the JSON text.
        nesting: levels of nesting that a transport adds to a client's value; they do not count.

    Raises:
        Invalid: the text is no JSON, or JSON that implementations read differently: a name twice in one object, NaN
            or Infinity (also as ``1e999``), an integer beyond ±2^53, a lone surrogate, more than 32 levels.
    """
    depth = JSON_DEPTH_MAX + nesting
    value = _decoded_plain(text, depth)
    return _decoded_strictly(text, depth) if value is None else value


def _decoded_plain(text: str | bytes, depth: int) -> object | None:
    """Decode a text that is exactly what `encode` would write; None for other texts, which may be valid too.

    orjson decodes in a fifth of the time, but takes a name twice in one object, and an integer that JavaScript cannot
    keep. The first is another text when it is encoded again; the second is not encoded.
    """
    try:
        value: object = orjson.loads(text)
        encoded = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if encoded != (text.encode() if isinstance(text, str) else text):
        return None
    is_shallow = encoded.count(b"[") + encoded.count(b"{") <= depth  # counting is the faster test
    return value if is_shallow or _is_within(value, depth) else None


def _decoded_strictly(text: str | bytes, depth: int) -> object:
    try:
        unicode = _unicode(text)
        value = _DECODER.decode(unicode)
    except (json.JSONDecodeError, RecursionError):  # the latter for thousands of levels
        raise Invalid("The text is not valid JSON.") from None
    if unicode.count("[") + unicode.count("{") > depth and not _is_within(value, depth):
        raise Invalid(f"JSON must not be nested deeper than {JSON_DEPTH_MAX} levels.")
    if "\\u" in unicode and _has_lone_surrogates(value):  # in UTF-8 only an escape can make a lone surrogate
        raise Invalid("JSON strings must not contain lone surrogates.")
    return value


def encode(value: object) -> bytes:
    """Encode a value as compact JSON in UTF-8."""
    return orjson.dumps(value)


def _object(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise Invalid("A JSON object must not contain a name twice.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or abs(value := int(digits)) > INTEGER_MAX:
        raise Invalid("JSON integers must not be beyond 2^53.")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise Invalid("JSON numbers must be finite.")
    return value


def _constant(_: str) -> float:
    raise Invalid("NaN and Infinity are not valid JSON.")


def _is_within(value: object, depth: int) -> bool:
    match value:
        case dict():
            return depth > 0 and all(_is_within(member, depth - 1) for member in value.values())
        case list():
            return depth > 0 and all(_is_within(element, depth - 1) for element in value)
        case _:
            return True


def _unicode(text: str | bytes) -> str:
    try:
        return text.decode() if isinstance(text, bytes) else text.encode().decode()
    except UnicodeError:
        raise Invalid("JSON must be encoded in UTF-8.") from None


def _has_lone_surrogates(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
