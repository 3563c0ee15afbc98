"""Settings that stand in the environment and in ``.env``: what is known of them, and what is not."""

import difflib
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

import attrs
from dotenv.parser import parse_stream  # dotenv_values would log what it can't read, and go on

from .settings import PREFIX, Settings, SettingsError

KNOWN = {PREFIX + attribute.name.upper(): attribute.name for attribute in attrs.fields(Settings)}
"""The settings' variables, and which setting each is."""


_OURS = re.compile(rf"\s*(?:export\s+)?['\"]?({PREFIX}\w*)")


def read_dotenv(path: Path) -> Mapping[str, str]:
    """The ``CHATCORE_…`` variables of a file; none where there is no file. Values stand as they are written: nothing
    is filled in. What else stands in it is not ours to judge. Raises `SettingsError`."""
    found: dict[str, str] = {}
    for line in parse_stream(StringIO(_text(path))):
        name, where = _OURS.match(line.original.string), f"Line {line.original.line} of {path}"
        if name and line.error:
            raise SettingsError(f"{where}, {name[1]}, can't be read; write {name[1]}=…")
        if line.key and line.key.startswith(PREFIX):
            if line.value is None:
                raise SettingsError(f"{where}, {line.key}, has no value; write {line.key}=…")
            found[line.key] = line.value
    return found


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} can't be read: it is not written in UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from error


def by_setting(variables: Mapping[str, str]) -> dict[str, str]:
    """The values of known variables, by the settings' names."""
    return {KNOWN[name]: value for name, value in variables.items() if name in KNOWN}


def warnings(names: Iterable[str], where: str) -> Iterable[str]:
    """A line for every variable of ours that means nothing; a slip of the pen would otherwise go unnoticed."""
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN:
            close = difflib.get_close_matches(_own_part(name), list(map(_own_part, KNOWN)), n=1)
            yield f"{name} in {where} is no setting" + (f"; did you mean {PREFIX}{close[0]}?" if close else ".")


def _own_part(name: str) -> str:
    return name.removeprefix(PREFIX)
