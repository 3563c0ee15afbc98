"""Paths: what stands in one, and whether it is where something is served."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

Segments: TypeAlias = Sequence[str | None]
"""The parts of a path between its slashes; None stands for one that can't be decoded."""

Shape: TypeAlias = tuple[str | None, ...]
"""The parts of a template, None for its fields: paths of equal shape are the same paths."""

_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def segments(raw_path: str) -> Segments:
    """The segments of a path as it was sent, each percent-decoded once: ``%2F`` is a slash inside a segment."""
    return [decoded(segment) for segment in raw_path.split("/")[1:]]


def decoded(text: str) -> str | None:
    """``text`` percent-decoded once; None where that is no UTF-8, or where ``%`` is not followed by two hex digits."""
    if _NO_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        return None


def shape(template: str) -> Shape:
    """The shape of a template such as ``/rooms/{room}/messages``."""
    return tuple(None if _field(part) else part for part in template.split("/")[1:])


def matches(where: Shape, given: Segments) -> bool:
    return len(where) == len(given) and all(part in (None, one) for part, one in zip(where, given, strict=True))


def fields(template: str, given: Segments) -> Mapping[str, str | None]:
    """What stands in the template's fields, by their names; ``given`` matches its shape."""
    parts = zip(template.split("/")[1:], given, strict=True)
    return {name: value for part, value in parts if (name := _field(part))}


def _field(part: str) -> str | None:
    return part[1:-1] if part.startswith("{") else None
