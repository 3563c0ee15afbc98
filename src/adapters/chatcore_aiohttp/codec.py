"""JSON on the wire: strict in, fast out."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

import orjson

from chatcore.commands.fields import INTEGER_MAX, JSON_DEPTH_MAX
from chatcore.errors import Invalid

_DIGITS_MAX = len(str(-INTEGER_MAX))


def decode(text: str | bytes, *, around: int = 0) -> object:
    """The value that a JSON text (RFC 8259, in UTF-8) stands for.

    Raises `Invalid` for what is no JSON and for what implementations read differently: a member name twice in one
    object, NaN and Infinity (also as ``1e999``), integers beyond ±2^53, lone surrogates, more than 32 levels
    (where ``around`` more stand around what a client wrote).
    """
    try:
        unicode = _unicode(text)
        value = _DECODER.decode(unicode)
    except (json.JSONDecodeError, RecursionError):  # the latter after thousands of levels
        raise Invalid("The text is not valid JSON.") from None
    depth = JSON_DEPTH_MAX + around
    if unicode.count("[") + unicode.count("{") > depth and not _is_within(value, depth):  # few brackets can't be deep
        raise Invalid(f"JSON must not be nested deeper than {JSON_DEPTH_MAX} levels.")
    if "\\u" in unicode and _has_lone_surrogates(value):  # no other way leads to one
        raise Invalid("JSON strings must not contain lone surrogates.")
    return value


def encode(value: object) -> bytes:
    """Compact JSON in UTF-8."""
    return orjson.dumps(value)


def _object(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise Invalid("A JSON object must not contain a name twice.")
    return found


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
            return depth > 0 and all(_is_within(one, depth - 1) for one in value.values())
        case list():
            return depth > 0 and all(_is_within(one, depth - 1) for one in value)
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
