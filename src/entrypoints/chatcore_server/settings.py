"""What the server can be told: by flags, environment variables and a ``.env`` file, in this order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from attrs import field, frozen
from cyclopts import Parameter, Token

from chatcore.domain.state import MEMBERS_MAX
from chatcore_aiohttp import Origins

from . import values

PREFIX = "CHATCORE_"


def named(setting: str) -> str:
    """Both names of a setting: whoever has to change it gave it by one of them."""
    return f"--{setting.replace('_', '-')} ({PREFIX}{setting.upper()})"


class SettingsError(Exception):
    """A setting is wrong. The text is one line that says which and why, and never shows a value that may be secret."""


def _setting(name: str, read: Callable[[str], object], text: str, default: bool = True) -> Parameter:
    """How cyclopts has a setting. Its own reading would take ``1.5`` for 2 and ``0x10`` for 16."""

    def convert(_: Any, tokens: Sequence[Token]) -> object:
        return read(tokens[-1].value)

    return Parameter(
        env_var=PREFIX + name,
        converter=convert,
        help=text,
        accepts_keys=False,
        show_choices=False,
        show_default=default,
    )


@Parameter(name="*")
@frozen(kw_only=True)
class Settings:
    """Every setting, with what it is when nobody says anything."""

    host: Annotated[
        str, _setting("HOST", values.text, "Address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1"
    port: Annotated[int, _setting("PORT", values.port, "Port to listen on; 0 is any that is free.")] = 3001
    store: Annotated[
        str,
        _setting(
            "STORE",
            values.store,
            "sqlite; memory, which is forgotten when the server ends; or mongodb://host/database, which many servers "
            "share.",
        ),
    ] = field(default="sqlite", repr=False)
    data_dir: Annotated[Path, _setting("DATA_DIR", values.folder, "Folder of the SQLite store; one server has it.")] = (
        Path("chatcore-data")
    )
    secret: Annotated[
        bytes | None,
        _setting(
            "SECRET",
            values.secret,
            "What tokens are signed with: at least 32 bytes. Everybody on this machine sees a flag, so set the "
            "variable. Unset, one is made and kept in the data folder (memory: a new one at each start; MongoDB: it "
            "must be set).",
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
    ] = field(factory=Origins)
    access_token_s: Annotated[
        int, _setting("ACCESS_TOKEN_S", values.access_token_s, "Seconds for which an access token is good.")
    ] = 900
    limits: Annotated[
        Literal["on", "off"], _setting("LIMITS", values.limits, "Rate limits, on or off. There are none yet.")
    ] = "on"
    room_members_max: Annotated[
        int, _setting("ROOM_MEMBERS_MAX", values.room_members_max, "Members that a room may have.")
    ] = MEMBERS_MAX

    @property
    def place(self) -> str:
        """The names of the setting that says where the store keeps what it has."""
        return named("store" if self.store.startswith(values.MONGODB) else "data_dir")
