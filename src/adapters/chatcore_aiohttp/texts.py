"""Fields that come as text, in a path or a query, as what the command has there."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import attrs

from chatcore.commands.command import Command
from chatcore.commands.fields import wire_name
from chatcore.errors import Invalid

from .paths import decoded

_DIGITS = re.compile(r"0|[1-9][0-9]{0,15}")
"""An integer as JSON writes it, up to about 2^53: what is longer is out of every field's bounds."""


def query_fields(raw_query: str) -> Mapping[str, str]:
    """The parameters of a query string as it was sent. Raises `Invalid` for an empty or repeated one."""
    found: dict[str, str] = {}
    for parameter in raw_query.split("&") if raw_query else ():
        name, _, value = (decoded(part.replace("+", " ")) for part in parameter.partition("="))
        if not name:
            raise Invalid("The query must be name=value pairs separated by &, in percent-encoded UTF-8.")
        if not value:
            raise Invalid("A query parameter is empty or not UTF-8.", field=name)
        if name in found:
            raise Invalid("A query parameter is repeated.", field=name)
        found[name] = value
    return found


def typed(command: type[Command[Any]], texts: Mapping[str, str]) -> dict[str, object]:
    """The fields of a command from texts: digits where it has an integer, ``true`` and ``false`` where a boolean.

    A text that is none of these stays, and the command refuses it.
    """
    kinds = {wire_name(attribute): _kinds(attribute.type) for attribute in attrs.fields(command)}
    return {name: _typed(text, kinds.get(name, ())) for name, text in texts.items()}


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) or (annotation,)


def _typed(text: str, kinds: tuple[Any, ...]) -> object:
    if int in kinds and _DIGITS.fullmatch(text):
        return int(text)
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    return text
