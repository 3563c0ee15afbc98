"""What the docstrings of commands and wire classes say to clients, as plain text with code in backticks.

They name errors by their classes, and say when a value is None: for clients these are codes, and fields left out.
"""

import inspect
import re
from collections.abc import Mapping

from ..errors import ERRORS

_CODES = {error.__name__: code for code, error in ERRORS.items()}
_CLASS = re.compile(r"`(\w+)`")
_SECTION = re.compile(r"^(?:Args|Attributes|Raises|Returns):$", re.MULTILINE)
_FIELDS = re.compile(r"^(?:Args|Attributes):$\n((?:(?:    .*)?\n?)*)", re.MULTILINE)
_FIELD = re.compile(r"^    (\w+): ((?:.|\n(?!    \S))*)", re.MULTILINE)


def description(cls: type) -> str:
    """Return a class's docstring without its sections; it is empty under ``python -OO``."""
    return _plain(_SECTION.split(_docstring(cls))[0])


def summary(cls: type) -> str:
    """Return the first sentence of a class's docstring."""
    return re.split(r"(?<=[.])\s", description(cls), maxsplit=1)[0]


def attribute_notes(cls: type) -> Mapping[str, str]:
    """Return what the sections ``Args`` and ``Attributes`` of a class and its bases say, by attribute."""
    notes: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for section in _FIELDS.findall(_docstring(base)):
            notes |= {name: _sentence(_plain(text)) for name, text in _FIELD.findall(section)}
    return notes


def _docstring(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _plain(text: str) -> str:
    """Return a text with its paragraphs on one line each, and one backtick where reStructuredText has two."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    plain = "\n\n".join(re.sub(r"\s+", " ", paragraph) for paragraph in paragraphs).replace("``", "`")
    coded = _CLASS.sub(lambda name: f"`{_CODES.get(name[1], name[1])}`", plain)
    return coded.replace("None if", "left out if")


def _sentence(text: str) -> str:
    return text if text.startswith("`") else text[:1].upper() + text[1:]
