"""Options that several commands have."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from cyclopts import Parameter, Token

LINES_MAX = 200
"""Messages of a page of history."""
WAIT_S_MAX = 7 * 24 * 60 * 60
DEFAULT_URL = "http://localhost:3001"


def server_url(text: str) -> str:
    """Return the address of a server in one notation.

    Raises:
        ValueError: ``text`` is no such address. The message continues a sentence that begins with the option's name.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises if it is no number
    except ValueError:
        raise ValueError("must be an address such as https://chat.example") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable() or " " in text:
        raise ValueError("must be an address such as https://chat.example")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be an address without a user, ? and #")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _convert_url(_: Any, tokens: Sequence[Token]) -> str:
    return server_url(tokens[-1].value)


def _whole_number(maximum: int) -> Callable[[Any, Sequence[Token]], int]:
    """Return a converter: cyclopts' own would take ``1.5`` for 2."""

    def convert(_: Any, tokens: Sequence[Token]) -> int:
        text = tokens[-1].value
        if not text.isascii() or not text.isdigit() or len(text) > len(str(maximum)) or int(text) > maximum:
            raise ValueError(f"must be a whole number from 0 to {maximum}")
        return int(text)

    return convert


URL = Parameter(name="--url", env_var="CHATCORE_URL", converter=_convert_url)
SWITCH = Parameter(negative="", show_default=False)

As: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--as",
        env_var="CHATCORE_AS",
        help="User to be. It is needed only if several users are signed in on this machine.",
    ),
]
At: TypeAlias = Annotated[
    str | None, URL, Parameter(help="Server. It is needed only if the user is signed in at several.")
]
Json: TypeAlias = Annotated[bool, SWITCH, Parameter(name="--json", help="Print a JSON object a line, for scripts.")]
Lines: TypeAlias = Annotated[
    int,
    Parameter(
        name=["--lines", "-n"],
        converter=_whole_number(LINES_MAX),
        help="Messages from before to begin with, 200 at most.",
    ),
]
To: TypeAlias = Annotated[str, Parameter(help="A user, or the id of a room.")]
Wait: TypeAlias = Annotated[
    int | None,
    Parameter(
        name="--wait",
        converter=_whole_number(WAIT_S_MAX),
        help="Seconds to wait for the server; then the exit code is 75. Unset: without end.",
    ),
]
