"""Bounds of command fields (``docs/protocol.md``, "Fields and their bounds"): attrs validators that raise `Invalid`."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

from attrs import Attribute

from ..domain.texts import compact_json
from ..errors import Invalid
from ..ids import KEY_MAX, UserId, is_user_id

BODY_BYTES_MAX = 16_384
DATA_BYTES_MAX = 8_192
EMOJI_BYTES_MAX = 64
INTEGER_MAX = 2**53
JSON_DEPTH_MAX = 32
"""How many objects and lists may stand in one another."""
MENTIONS_MAX = 50
PAGE_MAX = 200
"""Rows of a page, whatever it lists."""
WIRE_NAME = "wire"
"""Metadata of an attribute whose field has another name, because that name is a word of Python's."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # category Cc, in every Unicode

AnyAttribute: TypeAlias = "Attribute[Any]"
Check: TypeAlias = Callable[[Any, AnyAttribute, Any], None]


def user(_: object, attribute: AnyAttribute, value: object) -> None:
    if not isinstance(value, str) or not is_user_id(value):
        raise _invalid(attribute, "is not a valid user id")


def users(limit: int) -> Check:
    def check(_: object, attribute: AnyAttribute, value: Sequence[object]) -> None:
        if len(value) > limit:
            raise _invalid(attribute, f"must not name more than {limit} users")
        if value and not all(isinstance(name, str) and is_user_id(name) for name in value):
            raise _invalid(attribute, "contains an invalid user id")

    return check


def ids(values: Iterable[UserId]) -> Sequence[UserId]:
    """A converter: commands are immutable, and so are their lists."""
    return tuple(values)


def each_once(users: Iterable[UserId]) -> Sequence[UserId]:
    """Who is named, in the order of their first mention. A list keeps its repetitions: they count to its bound."""
    return tuple(dict.fromkeys(users))


def text(shortest: int, longest: int) -> Check:
    """A string of so many code points, without lone surrogates."""

    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if (
            not isinstance(value, str)
            or not shortest <= len(value) <= longest
            or not (value.isascii() or _encodable(value))
        ):
            raise _invalid(attribute, f"must be a string of {shortest} to {longest} characters")

    return check


def line(shortest: int, longest: int) -> Check:
    """A text without control characters: one line, wherever it is shown."""
    is_text = text(shortest, longest)

    def check(command: object, attribute: AnyAttribute, value: Any) -> None:
        is_text(command, attribute, value)
        _check_line(attribute, value)

    return check


key = text(1, KEY_MAX)


def room(_: object, attribute: AnyAttribute, value: object) -> None:
    """Any string: one that is no room's id is nobody's room, which is for the answer to say."""
    if not isinstance(value, str) or not _encodable(value):
        raise _invalid(attribute, "must be a room id")


def integer(least: int, most: int = INTEGER_MAX) -> Check:
    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise _invalid(attribute, f"must be an integer from {least} to {most}")

    return check


seq = integer(1)
title = line(1, 200)
reason = text(0, 500)


def boolean(_: object, attribute: AnyAttribute, value: object) -> None:
    if not isinstance(value, bool):
        raise _invalid(attribute, "must be true or false")


def one_of(*values: str) -> Check:
    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if value not in values:
            raise _invalid(attribute, f"must be one of {', '.join(values)}")

    return check


def anchor(_: object, attribute: AnyAttribute, value: object) -> None:
    if value in ("newest", "oldest", "first_unread"):
        return
    if type(value) is not int or not 1 <= value <= INTEGER_MAX:
        raise _invalid(attribute, "must be newest, oldest, first_unread or a seq of 1 or more")


def emoji(_: object, attribute: AnyAttribute, value: object) -> None:
    if not isinstance(value, str) or not _encodable(value) or not 1 <= len(value.encode()) <= EMOJI_BYTES_MAX:
        raise _invalid(attribute, f"must be a string of 1 to {EMOJI_BYTES_MAX} bytes in UTF-8")
    _check_line(attribute, value)


def body(_: object, attribute: AnyAttribute, value: object) -> None:
    if not isinstance(value, str) or not (value.isascii() or _encodable(value)) or len(value.encode()) > BODY_BYTES_MAX:
        raise _invalid(attribute, f"must be a string of at most {BODY_BYTES_MAX} bytes in UTF-8")


def data(_: object, attribute: AnyAttribute, value: Mapping[str, Any]) -> None:
    if not isinstance(value, dict) or not _is_plain_json(value, JSON_DEPTH_MAX):
        raise _invalid(
            attribute, f"must be a JSON object of at most {JSON_DEPTH_MAX} levels, with finite and exact numbers"
        )
    if len(compact_json(value).encode()) > DATA_BYTES_MAX:
        raise _invalid(attribute, f"must have at most {DATA_BYTES_MAX} bytes as compact JSON")


def wire_name(attribute: AnyAttribute) -> str:
    """What the contract calls the field."""
    name: str = attribute.metadata.get(WIRE_NAME, attribute.name)
    return name


def _invalid(attribute: AnyAttribute, what: str) -> Invalid:
    name = wire_name(attribute)
    return Invalid(f"{name} {what}.", field=name)


def _check_line(attribute: AnyAttribute, value: str) -> None:
    if _CONTROL.search(value):
        raise _invalid(attribute, "has no control characters")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain_json(value: object, depth: int) -> bool:
    match value:
        case None | bool():
            return True
        case str():
            return _encodable(value)
        case int():
            return -INTEGER_MAX <= value <= INTEGER_MAX
        case float():
            return isfinite(value)
        case dict():
            names = all(isinstance(name, str) and _encodable(name) for name in value)
            return depth > 0 and names and all(_is_plain_json(one, depth - 1) for one in value.values())
        case list():
            return depth > 0 and all(_is_plain_json(one, depth - 1) for one in value)
        case _:
            return False
