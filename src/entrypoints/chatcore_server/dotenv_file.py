"""Settings in the environment and in ``.env``: known variables, and warnings about unknown ones."""

import difflib
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

import attrs
from dotenv.parser import parse_stream  # dotenv_values only logs the lines that it cannot parse

from .errors import SettingsError
from .settings import CONFIG, PREFIX, Settings

KNOWN = {PREFIX + name.upper(): name for name in (*(field.name for field in attrs.fields(Settings)), CONFIG)}
"""The variables of the settings and of the TOML file, each with the name of its setting."""

OF_CLIENTS = ("CHATCORE_AS", "CHATCORE_PASSWORD", "CHATCORE_URL")
"""The variables of a client's commands, which do not read ``.env``."""

DOTENV = Path(".env")

_VARIABLE = re.compile(rf"\s*(?:export\s+)?['\"]?({PREFIX}\w*)")


def read_dotenv(path: Path) -> Mapping[str, str]:
    """Return the ``CHATCORE_…`` variables of a file; none if there is no file.

    Values are taken as written, without interpolation. Other lines are ignored, also invalid ones.

    Raises:
        SettingsError: the file cannot be read, or the line of such a variable is invalid.
    """
    variables: dict[str, str] = {}
    for line in parse_stream(StringIO(_text(path))):
        name, where = _VARIABLE.match(line.original.string), f"Line {line.original.line} of {path}"
        if name and line.error:
            raise SettingsError(f"{where}, {name[1]}, can't be read; write {name[1]}=…")
        if line.key and line.key.startswith(PREFIX):
            if line.value is None:
                raise SettingsError(f"{where}, {line.key}, has no value; write {line.key}=…")
            variables[line.key] = line.value
    return variables


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
    """Return the values of known variables, by the names of their settings."""
    return {KNOWN[name]: value for name, value in variables.items() if name in KNOWN}


def warnings(names: Iterable[str], where: str) -> Iterable[str]:
    """Return a warning for every ``CHATCORE_…`` variable that is no setting: it may be misspelt."""
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN and name not in OF_CLIENTS:
            similar = difflib.get_close_matches(_without_prefix(name), list(map(_without_prefix, KNOWN)), n=1)
            yield f"{name} in {where} is no setting" + (f"; did you mean {PREFIX}{similar[0]}?" if similar else ".")


def _without_prefix(name: str) -> str:
    return name.removeprefix(PREFIX)
