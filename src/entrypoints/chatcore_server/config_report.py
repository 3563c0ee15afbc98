"""What `chatcore config` prints: the settings in force, and where each value comes from. Secrets are masked."""

import ipaddress
import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs
from rich.console import Console
from rich.text import Text

from chatcore_http import Hosts, Origins, Proxies

from . import secret_file
from .converters import MONGODB
from .settings import PREFIX, Settings

DEFAULT = "default"
MASK = "********"

Shown: TypeAlias = str | int | Sequence[str] | None

_HOST = r"(?:\[[\da-fA-F:.]+\]|[\w.%-]+)(?::\d+)?"
_ADDRESS = re.compile(
    rf"(?P<scheme>[^/]*//)(?:(?P<user>[^:/?@]*)(?P<password>:[^/?]*)?@)?(?P<place>{_HOST}(?:,{_HOST})*(?:/[^?@]*)?)"
    r"(?P<options>\?(?:[\w.]+=[^&@]*&?)*)?"
)
_SECRET_OPTION = re.compile(r"([\w.]*(?:pass|secret|token|authmechanismproperties)[\w.]*=)[^&]*", re.IGNORECASE)


def print_report(settings: Settings, sources: Mapping[str, str], *, as_json: bool) -> None:
    """Print all settings, in the order of their definition.

    Args:
        settings: the settings in force.
        sources: where the values come from, by the names of their settings, except defaults.
        as_json: whether to print a JSON object instead of a table.
    """
    shown = {field.name: _shown(settings, field.name) for field in attrs.fields(Settings)}
    if as_json:
        report = {name: {"value": value, "source": sources.get(name, DEFAULT)} for name, value in shown.items()}
        print(json.dumps(report, indent=2))
    else:
        _print_table(settings, shown, sources)


def _print_table(settings: Settings, shown: Mapping[str, Shown], sources: Mapping[str, str]) -> None:
    rows = [
        (PREFIX + name.upper(), _text(settings, name, value), sources.get(name, DEFAULT))
        for name, value in shown.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(Text(_line(("setting", "value", "from"), widths), style="bold"))
    for row in rows:
        console.print(Text(_line(row, widths), style="dim" if row[2] == DEFAULT else ""))


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _shown(settings: Settings, name: str) -> Shown:
    """Return the value of a setting without secrets; None if it is not set."""
    match getattr(settings, name):
        case None:
            return None
        case bytes():
            return MASK
        case int() as number:
            return number
        case Hosts(allowed=None):
            return ["*"]
        case Origins() | Hosts() as names:
            return sorted(names.allowed or ())
        case Proxies() as proxies:
            return [str(network) for network in proxies.trusted]
        case value:
            return masked_address(str(value)) if name == "store" else str(value)


def masked_address(store: str) -> str:
    """Return a store's setting without passwords. An address that is not understood is masked as a whole."""
    if not store.startswith(MONGODB):
        return store
    match = _ADDRESS.fullmatch(store)
    if match is None:
        return f"{store.partition('//')[0]}//{MASK}"
    user = "" if match["user"] is None else match["user"] + (f":{MASK}" if match["password"] else "") + "@"
    return match["scheme"] + user + match["place"] + _SECRET_OPTION.sub(rf"\1{MASK}", match["options"] or "")


def _text(settings: Settings, name: str, value: Shown) -> str:
    """Return a value for people: also what a setting that is not set stands for."""
    match name, value:
        case "secret", None:
            return _secret(settings)
        case "hosts", None:
            return ", ".join(sorted(_default_hosts(settings).allowed or ["any"]))
        case "origins", []:
            return "same origin"
        case _, []:
            return "none"
        case _, str() | int() | None:
            return str(value)
        case _, names:
            return ", ".join(names)


def _secret(settings: Settings) -> str:
    if settings.store == "memory":
        return "a new one at each start"
    file = settings.data_dir / secret_file.NAME
    return f"the one in {file}" if file.exists() else f"will be made in {file}"


def _default_hosts(settings: Settings) -> Hosts:
    """Return the hosts that a server without the setting would answer to."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        addresses = [str(ipaddress.ip_address(str(address[4][0]).partition("%")[0])) for address in found]
    except (OSError, ValueError):  # serve says what is wrong with the host
        return Hosts()
    return Hosts.default(addresses, configured=[settings.host, *settings.origins.hosts])
