"""Settings in a TOML file: one key for each setting, with a number, a text, or an array of texts as its value."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_type_hints

from chatcore_http import Hosts, Origins, Proxies

from .errors import SettingsError
from .settings import CONFIG, Settings, named

TOML = Path("chatcore.toml")
"""The file that is read if no other is named. It may be missing."""

_LISTS = (Origins, Hosts, Proxies)
_KEY = re.compile(r"\s*['\"]?([A-Za-z0-9_-]+)['\"]?\s*=?")
_QUOTED = '"…"'
_LINE = re.compile(r"at line (\d+)")


def read_toml(path: Path, *, must_exist: bool) -> Mapping[str, str]:
    """Return the settings in a file, each as the text that a flag would have.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or has an unknown key or a value of another type. The
            message shows no value, which may be a secret.
    """
    text = _text(path, must_exist)
    try:
        table = tomllib.loads(f"{text}\n")  # an error on the last line then has its number
    except (ValueError, RecursionError) as error:  # ValueError also for a number with thousands of digits
        raise SettingsError(_syntax_error(path, text, str(error))) from None
    return {key: _setting(path, key, value) for key, value in table.items()}


def _text(path: Path, must_exist: bool) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if must_exist:
            raise SettingsError(f"{named(CONFIG)}: {path} can't be read: {error.strerror}.") from error
        return ""
    except UnicodeDecodeError:
        raise SettingsError(f"{path} can't be read: it is not written in UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from error


def _setting(path: Path, key: str, value: object) -> str:
    """Return the text of a value. Its content is checked later, if no source of higher precedence has the setting."""
    hints = get_type_hints(Settings)
    if key not in hints:
        wanted = key.casefold().replace("-", "_").removeprefix("chatcore_")
        similar = difflib.get_close_matches(wanted, list(hints), n=1)
        remedy = f"did you mean {similar[0]}?" if similar else "`chatcore config` lists the settings."
        if isinstance(value, dict):
            remedy = "settings stand outside of tables."
        raise SettingsError(f"{ascii(key)[1:-1]} in {path} is no setting; {remedy}")
    match value:
        case int() if hints[key] is int and not isinstance(value, bool):
            return str(value)
        case str() if hints[key] is not int:
            return value
        case list() if _is_list(hints[key]) and all(isinstance(element, str) for element in value):
            return ",".join(value)
        case _:
            raise SettingsError(f"{key} in {path} must be {_form(hints[key])}")


def _form(hint: object) -> str:
    if hint is int:
        return "a number, without quotes."
    return "a text in quotes, or an array of such texts." if _is_list(hint) else "a text in quotes."


def _is_list(hint: object) -> bool:
    return any(member in _LISTS for member in get_args(hint) or (hint,))


def _syntax_error(path: Path, text: str, error: str) -> str:
    """Return one line about invalid TOML, which names the line, and its key if that is a setting."""
    found = _LINE.search(error)
    if found is None:  # the error is at the end of the file, or has no place
        return f"{path} can't be read: it is not TOML; look for a quote or a bracket that is not closed."
    key = _KEY.match(text.split("\n")[int(found[1]) - 1])
    hint = get_type_hints(Settings).get(key[1]) if key else None
    where = f"Line {found[1]} of {path}"
    if key is None or hint is None:
        return f"{where} can't be read: it is not TOML; write `setting = value`, with a text in quotes."
    if "overwrite" in error:
        return f"{where}, {key[1]}, can't be read: it is there twice."
    return f"{where}, {key[1]}, can't be read; write {key[1]} = {'…' if hint is int else _QUOTED}"
