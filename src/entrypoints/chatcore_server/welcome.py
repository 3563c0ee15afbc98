"""The message that the server prints when it is ready."""

import ipaddress
import re
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from urllib.parse import unquote

from chatcore_terminal.options import DEFAULT_URL

from .serving import Address
from .settings import Settings


def welcome(settings: Settings, addresses: Sequence[Address]) -> str:
    """Return the message: where the server listens and keeps its data, and what to try first."""
    local_url = url("localhost" if _is_any(addresses[0][0]) else addresses[0][0], addresses[0][1])
    lines = [
        f"chatcore {version('chatcore')} listens on {' and '.join(url(*address) for address in addresses)}",
        f"Data is kept {_place(settings)}. Press Ctrl-C to stop.",
    ]
    if settings.signup == "open":
        lines.append(f"To chat, open {local_url}/ in a browser, or sign up in another terminal:")
        lines.append(f"  {_command()} login alice --sign-up{_url_option(local_url)}")
    return "\n".join(lines)


def _command() -> str:
    """Return how this program can be called again: `make serve` calls it by its path."""
    return "chatcore" if shutil.which("chatcore") else sys.argv[0]


def _url_option(local_url: str) -> str:
    """Return the option that names this server, in the notation of the default, which needs none."""
    named = local_url.replace("//127.0.0.1:", "//localhost:")
    return "" if named == DEFAULT_URL else f" --url {named}"


def _place(settings: Settings) -> str:
    match settings.store:
        case "memory":
            return "in memory and lost on exit"
        case "sqlite":
            return f"in {settings.data_dir.resolve()}"
        case address:
            return f"in MongoDB at {_hosts(address)}, database {_database(address)}"


def _hosts(address: str) -> str:
    """Return the hosts of a connection string, without user and password.

    User and password end at the last ``@`` before any ``/`` or ``?``; a later ``@`` belongs to the options.
    """
    return re.sub(r"^[^/]*//(?:[^/?]*@)?|[/?].*$", "", address)


def _database(address: str) -> str:
    """Return the database of a connection string, by default the one that the store uses."""
    match = re.match(r"[^/]*//[^/?]*/([^?]+)", address)
    return unquote(match[1]) if match else "chatcore"


def url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_any(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_unspecified
