"""Paths and query strings as they were sent, and templates of paths."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from chatcore.errors import Invalid

from .requests import Request

Segments: TypeAlias = Sequence[str | None]
"""The parts of a path between its slashes, decoded; None for a part that cannot be decoded."""

Shape: TypeAlias = tuple[str | None, ...]
"""The parts of a template, with None for each field. Templates of one shape match the same paths."""

_INVALID_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def path_segments(raw_path: str) -> Segments:
    """Return the segments of a path, each percent-decoded once: ``%2F`` is a slash inside a segment."""
    return [decoded(segment) for segment in raw_path.split("/")[1:]]


def decoded(text: str) -> str | None:
    """Return ``text`` percent-decoded once; None if that is not UTF-8 or ``%`` is not followed by two hex digits."""
    if _INVALID_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        return None


def shape(template: str) -> Shape:
    """Return the shape of a template such as ``/rooms/{room}/messages``."""
    return tuple(None if field_name(part) else part for part in template.split("/")[1:])


def matches(shape: Shape, segments: Segments) -> bool:
    return len(shape) == len(segments) and all(
        part in (None, segment) for part, segment in zip(shape, segments, strict=True)
    )


def path_fields(template: str, segments: Segments) -> Mapping[str, str | None]:
    """Return the fields of a template, by name, with their values in a path that matches its shape."""
    parts = zip(template.split("/")[1:], segments, strict=True)
    return {name: value for part, value in parts if (name := field_name(part))}


def query_fields(raw_query: str) -> Mapping[str, str]:
    """Return the parameters of a query string. Raises `Invalid` for an empty or repeated parameter."""
    return single(query_parameters(raw_query))


def query_parameters(raw_query: str) -> Sequence[tuple[str, str]]:
    """Return the names and values of a query string in their order. Raises `Invalid` for an empty parameter."""
    parameters: list[tuple[str, str]] = []
    for parameter in raw_query.split("&") if raw_query else ():
        name, _, value = (decoded(part.replace("+", " ")) for part in parameter.partition("="))
        if not name:
            raise Invalid("The query must be name=value pairs separated by &, in percent-encoded UTF-8.")
        if not value:
            raise Invalid("A query parameter is empty or not UTF-8.", field=name)
        parameters.append((name, value))
    return parameters


def single(parameters: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return parameters by name. Raises `Invalid` for a repeated one."""
    fields: dict[str, str] = {}
    for name, value in parameters:
        if name in fields:
            raise Invalid("A query parameter is repeated.", field=name)
        fields[name] = value
    return fields


def refuse_query(request: Request, reason: str) -> None:
    """Raise `Invalid` with ``reason`` if the request has query parameters."""
    if query := query_fields(request.query):
        raise Invalid(reason, field=min(query))


def undecodable_path(field: str) -> Invalid:
    """Return the error for a field of a path that cannot be decoded."""
    return Invalid("The path must be percent-encoded UTF-8.", field=field)


def field_name(part: str) -> str | None:
    """Return the name of the field that a part of a template is; None for a fixed part."""
    return part[1:-1] if part.startswith("{") else None
