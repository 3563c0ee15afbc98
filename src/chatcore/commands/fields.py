"""Bounds of command fields (``docs/protocol.md``, "Fields and their bounds"): attrs validators that raise `Invalid`.

Each check also has its bounds as keywords of JSON Schema, from which the documents of the contract are made.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import Attribute

from ..domain.serialization import DATA_BYTES_MAX, INTEGER_MAX, data_fault, is_encodable
from ..errors import Invalid
from ..ids import KEY_MAX, USER_MAX, UserId, is_user_id

BODY_BYTES_MAX = 16_384
EMOJI_BYTES_MAX = 64
MENTIONS_MAX = 50
PAGE_MAX = 200
"""The most rows of a page of any list."""
WIRE_NAME = "wire"
"""Metadata key: the name of the field on the wire if that name is a keyword of Python."""
ANCHORS = ("newest", "oldest", "first_unread")
BYTES_MAX = "x-bytes-max"
"""Keyword: the most bytes in UTF-8, of a string or of an object as compact JSON. JSON Schema has none for it."""
KEYWORDS = "keywords"
"""Metadata key: the bounds of a field that is checked elsewhere, as keywords of JSON Schema."""
QUERY_NAME = "query"
"""Metadata key: the name of a list's items in a query, where it is repeated for each item."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # category Cc, in every Unicode

AnyAttribute: TypeAlias = "Attribute[Any]"
Check: TypeAlias = Callable[[Any, AnyAttribute, Any], None]
Keywords: TypeAlias = Mapping[str, object]
"""Keywords of JSON Schema (draft 7 and later)."""

LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
_KEYWORDS: dict[Check, Keywords] = {}


def bounded(**keywords: object) -> Callable[[Check], Check]:
    """Return a decorator that keeps the bounds of a check, for `keywords_of`."""

    def keep(check: Check) -> Check:
        _KEYWORDS[check] = keywords
        return check

    return keep


def keywords_of(validator: object) -> Keywords:
    """Return the bounds of a field's validator, which may be in ``attrs.validators.optional``."""
    check: Any = getattr(validator, "validator", validator)
    return _KEYWORDS.get(check, {})


@bounded(type="string", minLength=1, maxLength=USER_MAX, pattern=LINE_PATTERN, format="user-id")
def user(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for a user id."""
    if not issubclass(type(value), str):  # a lazy object that stands for a str is an instance of it
        raise _invalid(attribute, "is not a string; pass str(user.id)")
    if not is_user_id(str(value)):
        raise _invalid(attribute, "is not a valid user id")


def users(limit: int) -> Check:
    """Return a check for at most ``limit`` user ids."""

    @bounded(type="array", items={**keywords_of(user)}, maxItems=limit)
    def check(_: object, attribute: AnyAttribute, value: Sequence[object]) -> None:
        if len(value) > limit:
            raise _invalid(attribute, f"must not name more than {limit} users")
        if value and not all(issubclass(type(name), str) for name in value):
            raise _invalid(attribute, "contains a user id that is not a string; pass str(user.id)")
        if value and not all(is_user_id(str(name)) for name in value):
            raise _invalid(attribute, "contains an invalid user id")

    return check


def ids(values: Iterable[UserId]) -> Sequence[UserId]:
    """Convert a list of user ids to a tuple: commands are immutable."""
    return tuple(values)


def each_once(users: Iterable[UserId]) -> Sequence[UserId]:
    """Return the users without repetitions, in order. Repetitions in a field still count toward its bound."""
    return tuple(dict.fromkeys(users))


def text(shortest: int, longest: int) -> Check:
    """Return a check for a string of ``shortest`` to ``longest`` code points, without lone surrogates."""

    @bounded(type="string", minLength=shortest, maxLength=longest)
    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if (
            not isinstance(value, str)
            or not shortest <= len(value) <= longest
            or not (value.isascii() or is_encodable(value))
        ):
            raise _invalid(attribute, f"must be a string of {shortest} to {longest} characters")

    return check


def line(shortest: int, longest: int) -> Check:
    """Return a check for a text without control characters, so that it is shown as one line."""
    is_text = text(shortest, longest)

    @bounded(**keywords_of(is_text), pattern=LINE_PATTERN)
    def check(command: object, attribute: AnyAttribute, value: Any) -> None:
        is_text(command, attribute, value)
        _check_line(attribute, value)

    return check


key: Check = text(1, KEY_MAX)


@bounded(type="string", format="room-id")
def room(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for a string. A string that is no room id is answered as a room that does not exist."""
    if not isinstance(value, str) or not is_encodable(value):
        raise _invalid(attribute, "must be a room id")


def integer(least: int, most: int = INTEGER_MAX) -> Check:
    """Return a check for an integer from ``least`` to ``most``; a bool is no integer."""

    @bounded(type="integer", minimum=least, maximum=most)
    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise _invalid(attribute, f"must be an integer from {least} to {most}")

    return check


seq: Check = integer(1)
title: Check = line(1, 200)
prefix: Check = text(1, 32)
reason: Check = text(0, 500)


@bounded(type="boolean")
def boolean(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for True or False."""
    if not isinstance(value, bool):
        raise _invalid(attribute, "must be true or false")


def one_of(*values: str) -> Check:
    """Return a check for one of ``values``."""

    @bounded(type="string", enum=list(values))
    def check(_: object, attribute: AnyAttribute, value: object) -> None:
        if value not in values:
            raise _invalid(attribute, f"must be one of {', '.join(values)}")

    return check


@bounded(anyOf=[{"enum": list(ANCHORS)}, {"type": "integer", "minimum": 1, "maximum": INTEGER_MAX}])
def anchor(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for an anchor of `history`: a name or a seq."""
    if value in ANCHORS:
        return
    if type(value) is not int or not 1 <= value <= INTEGER_MAX:
        raise _invalid(attribute, "must be newest, oldest, first_unread or a seq of 1 or more")


@bounded(
    type="string",
    minLength=1,
    maxLength=EMOJI_BYTES_MAX,
    pattern=LINE_PATTERN,
    format="emoji",
    **{BYTES_MAX: EMOJI_BYTES_MAX},
)
def emoji(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for a string of at most 64 bytes in UTF-8, without control characters."""
    if not isinstance(value, str) or not is_encodable(value) or not 1 <= len(value.encode()) <= EMOJI_BYTES_MAX:
        raise _invalid(attribute, f"must be a string of 1 to {EMOJI_BYTES_MAX} bytes in UTF-8")
    _check_line(attribute, value)


@bounded(type="string", maxLength=BODY_BYTES_MAX, **{BYTES_MAX: BODY_BYTES_MAX})
def body(_: object, attribute: AnyAttribute, value: object) -> None:
    """Check for a string of at most 16,384 bytes in UTF-8; it may be empty."""
    if (
        not isinstance(value, str)
        or not (value.isascii() or is_encodable(value))
        or len(value.encode()) > BODY_BYTES_MAX
    ):
        raise _invalid(attribute, f"must be a string of at most {BODY_BYTES_MAX} bytes in UTF-8")


@bounded(type="object", **{BYTES_MAX: DATA_BYTES_MAX})
def data(_: object, attribute: AnyAttribute, value: Mapping[str, Any]) -> None:
    """Check for a JSON object of bounded size and depth; its integers are exact as a double (up to 2**53)."""
    if fault := data_fault(value):
        raise _invalid(attribute, fault)


def wire_name(attribute: AnyAttribute) -> str:
    """Return the name of the field on the wire."""
    name: str = attribute.metadata.get(WIRE_NAME, attribute.name)
    return name


def _invalid(attribute: AnyAttribute, what: str) -> Invalid:
    name = wire_name(attribute)
    return Invalid(f"{name} {what}.", field=name)


def _check_line(attribute: AnyAttribute, value: str) -> None:
    if _CONTROL.search(value):
        raise _invalid(attribute, "must not contain control characters")
