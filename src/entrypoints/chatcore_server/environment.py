"""Settings that stand in the environment and in ``.env``: what is known of them, and what is not."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import dotenv

from .settings import PREFIX, Settings, SettingsError

KNOWN = {PREFIX + attribute.name.upper(): attribute.name for attribute in attrs.fields(Settings)}
"""The settings' variables, and which setting each is."""


def read_dotenv(path: Path) -> Mapping[str, str]:
    """The ``CHATCORE_…`` variables of a file; none where there is no file. Values stand as they are written: nothing
    is filled in. Raises `SettingsError`."""
    try:
        found = dotenv.dotenv_values(path, interpolate=False)
    except UnicodeDecodeError:
        raise SettingsError(f"{path} can't be read: it is not written in UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from error
    ours = {name: value for name, value in found.items() if name.startswith(PREFIX)}
    if bare := [name for name, value in ours.items() if value is None]:
        raise SettingsError(f"{bare[0]} in {path} has no value; write {bare[0]}=…")
    return {name: value for name, value in ours.items() if value is not None}


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
