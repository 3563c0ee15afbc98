"""The settings of the server: from flags, the environment, ``.env`` and a TOML file, in this order of precedence."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from attrs import field, frozen
from cyclopts import Parameter, Token

from chatcore.domain.state import MEMBERS_MAX
from chatcore.ports.rate_limiter import Rate
from chatcore_http import Hosts, Origins, Proxies
from chatcore_limits import parse_rate

from . import converters
from .errors import SettingsError

PREFIX = "CHATCORE_"
CONFIG = "config"
"""The name of what is given like a setting and names the TOML file."""

SIGN_IN = Rate(10, 5 * 60)
SIGN_IN_ADDRESS = SIGN_IN_NAME = Rate(100, 5 * 60)
SIGN_UP = Rate(300, 60 * 60)
SEND, SEND_ROOM = Rate(2000, 10), Rate(10_000, 10)
CREATE, INVITE = Rate(200, 60 * 60), Rate(2000, 60 * 60)
CONNECT = Rate(6000, 60)


def named(setting: str) -> str:
    """Return both names of a setting, its flag and its variable: the operator may have used either."""
    return f"--{setting.replace('_', '-')} ({PREFIX}{setting.upper()})"


def _one_token(_: Any, value: str, **__: Any) -> list[str]:
    """Return the value of a variable as one token, also if the setting's type has several fields."""
    return [value]


def _setting(name: str, converter: Callable[[str], object], text: str, default: bool = True) -> Parameter:
    """Return the definition of a setting for cyclopts. Its own converters would take ``1.5`` for 2 and ``0x10`` for 16.

    Args:
        name: the name of the variable without `PREFIX`.
        converter: returns the value of a text, or raises ValueError.
        text: the help text.
        default: whether the help shows the default.
    """

    def convert(_: Any, tokens: Sequence[Token]) -> object:
        return converter(tokens[-1].value)

    return Parameter(
        env_var=PREFIX + name,
        env_var_split=_one_token,
        converter=convert,
        help=text,
        accepts_keys=False,
        n_tokens=1,
        show_choices=False,
        show_default=default,
    )


ConfigFile: TypeAlias = Annotated[
    Path | None,
    _setting(
        "CONFIG",
        converters.path,
        "File of settings to read instead of chatcore.toml in the working directory. It must exist.",
        default=False,
    ),
]
"""The type of a command's parameter `CONFIG`."""


@Parameter(name="*")
@frozen(kw_only=True)
class StoreSettings:
    """The settings of the store."""

    store: Annotated[
        str,
        _setting(
            "STORE",
            converters.store,
            "sqlite; memory, which is lost when the server ends; or mongodb://host/database, which many servers may "
            "share.",
        ),
    ] = field(default="sqlite", repr=False)
    data_dir: Annotated[
        Path, _setting("DATA_DIR", converters.path, "Folder of the SQLite store; one server at a time may use it.")
    ] = Path("chatcore-data")

    @property
    def is_shared(self) -> bool:
        """Whether several servers may share the store."""
        return self.store.startswith(converters.MONGODB)

    @property
    def place(self) -> str:
        """The names of the setting that says where the store keeps its data."""
        return named("store" if self.is_shared else "data_dir")


@Parameter(name="*")
@frozen(kw_only=True)
class Settings(StoreSettings):
    """All settings of the server, with their defaults."""

    host: Annotated[
        str, _setting("HOST", converters.text, "Address to listen on; 0.0.0.0 is every address of this machine.")
    ] = "127.0.0.1"
    port: Annotated[int, _setting("PORT", converters.port, "Port to listen on; 0 is any free port.")] = 3001
    secret: Annotated[
        bytes | None,
        _setting(
            "SECRET",
            converters.secret,
            "Secret that signs tokens, at least 32 bytes. All users of this machine can see a flag, so set the "
            "variable. Unset, a secret is made and kept in the data folder (memory: a new one at each start; MongoDB: "
            "it must be set).",
            default=False,
        ),
    ] = field(default=None, repr=False)
    origins: Annotated[
        Origins,
        _setting(
            "ORIGINS",
            Origins.parse,
            "Web origins that may use the server besides its own, separated by commas: https://chat.example.",
            default=False,
        ),
    ] = field(factory=partial(Origins.parse, None))
    hosts: Annotated[
        Hosts | None,
        _setting(
            "HOSTS",
            Hosts.parse,
            "Hosts that the server answers to, without port, separated by commas; * is any. Unset: any, but on a "
            "loopback address only localhost, 127.0.0.1, [::1], that address and the hosts of the origins.",
            default=False,
        ),
    ] = None
    access_token_s: Annotated[
        int, _setting("ACCESS_TOKEN_S", converters.access_token_s, "Seconds for which an access token is good.")
    ] = 900
    signup: Annotated[
        Literal["open", "closed"],
        _setting("SIGNUP", converters.signup, "Whether clients of the server may create accounts: open or closed."),
    ] = "open"
    presence: Annotated[
        Literal["on", "off"],
        _setting(
            "PRESENCE",
            converters.presence,
            "Whether users see who of their rooms is online. off: everybody is offline.",
        ),
    ] = "on"
    trusted_proxies: Annotated[
        Proxies,
        _setting(
            "TRUSTED_PROXIES",
            Proxies.parse,
            "Addresses and networks of reverse proxies, separated by commas: 127.0.0.1,10.0.0.0/8. Their "
            "X-Forwarded-For then names the client's address for limits and log lines, and their X-Forwarded-Proto "
            "says whether the client uses TLS, so that cookies are Secure.",
            default=False,
        ),
    ] = field(factory=Proxies)
    sockets_per_address: Annotated[
        int,
        _setting("SOCKETS_PER_ADDRESS", converters.sockets_per_address, "Websockets that an address may hold open."),
    ] = 4096
    limits: Annotated[
        Literal["on", "off"], _setting("LIMITS", converters.limits, "All rate limits below, on or off.")
    ] = "on"
    limit_sign_in: Annotated[
        Rate, _setting("LIMIT_SIGN_IN", parse_rate, "Failed sign-ins of a user name from one address.")
    ] = SIGN_IN
    limit_sign_in_address: Annotated[
        Rate,
        _setting(
            "LIMIT_SIGN_IN_ADDRESS",
            parse_rate,
            "Failed sign-ins from one address. Above it, only user names that it signed in with before are admitted.",
        ),
    ] = SIGN_IN_ADDRESS
    limit_sign_in_name: Annotated[
        Rate,
        _setting(
            "LIMIT_SIGN_IN_NAME",
            parse_rate,
            "Failed sign-ins of a user name from all addresses. Above it, addresses that never signed in with the name "
            "get one attempt a second, together.",
        ),
    ] = SIGN_IN_NAME
    limit_sign_up: Annotated[Rate, _setting("LIMIT_SIGN_UP", parse_rate, "Sign-ups from one address.")] = SIGN_UP
    limit_send: Annotated[
        Rate,
        _setting("LIMIT_SEND", parse_rate, "Messages, edits, deletions and reactions of a user; all may come at once."),
    ] = SEND
    limit_send_room: Annotated[
        Rate, _setting("LIMIT_SEND_ROOM", parse_rate, "The same in a room, of all its users.")
    ] = SEND_ROOM
    limit_create: Annotated[Rate, _setting("LIMIT_CREATE", parse_rate, "Rooms that a user creates.")] = CREATE
    limit_invite: Annotated[
        Rate,
        _setting("LIMIT_INVITE", parse_rate, "Users that a user invites, or names as members of a new room."),
    ] = INVITE
    limit_connect: Annotated[
        Rate, _setting("LIMIT_CONNECT", parse_rate, "Socket.IO connections that an address opens.")
    ] = CONNECT
    room_members_max: Annotated[
        int, _setting("ROOM_MEMBERS_MAX", converters.room_members_max, "Members that a room may have.")
    ] = MEMBERS_MAX

    def check(self) -> None:
        """Raise `SettingsError` if settings do not go together."""
        if self.is_shared and self.secret is None:
            raise SettingsError(
                f"{PREFIX}SECRET must be set if servers share a store: otherwise each server would make its own, and "
                "refuse the tokens of the others."
            )
