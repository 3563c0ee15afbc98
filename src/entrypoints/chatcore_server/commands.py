"""The commands of the server: `serve`, `migrate` and `config`."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from chatcore.errors import StoreError

from . import dotenv_file, log
from .dotenv_file import DOTENV
from .errors import SettingsError
from .settings import ConfigFile, Settings, StoreSettings

_SWITCH = Parameter(negative="", show_default=False)

_log = logging.getLogger(__name__)


def serve(*, settings: Settings | None = None, config: ConfigFile = None) -> None:
    """Start the server, until Ctrl-C, SIGTERM or SIGHUP.

    Each setting can be given in four ways; the first of these counts:

        1. a flag:           chatcore serve --port 3002
        2. the environment:  CHATCORE_PORT=3002 chatcore serve
        3. the file .env in the working directory:           CHATCORE_PORT=3002
        4. the file chatcore.toml in the working directory:  port = 3002

    A text in chatcore.toml is in quotes: host = "0.0.0.0". A list may be an array: origins = ["https://chat.example"].
    `chatcore config` shows what is in force, and where it comes from.
    """
    gc.disable()  # imports create many objects and hardly any garbage; the server sets the collector itself
    from . import serving  # it takes a second, and other commands do not need it
    from .welcome import welcome

    log.configure()
    for warning in _warnings():
        _log.warning(warning)
    settings = settings or Settings()

    def announce(addresses: Sequence[serving.Address]) -> None:
        print(welcome(settings, addresses), flush=True)

    os.umask(0o077)  # only the server's own user may read its files
    with _store_errors_as_settings_errors(settings), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving.serve(settings, announce))


def migrate(
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print the steps, and change nothing.")
    ] = False,
    settings: StoreSettings | None = None,
    config: ConfigFile = None,
) -> None:
    """Bring the store's database to this version. A server does this at its start if it is quick.

    For example:

        chatcore migrate --dry-run        print what there is to do
        chatcore migrate                  do it, with a progress bar
    """
    from . import migration  # it imports rich, which a server does not need

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the progress bar restores the terminal's cursor
    settings = settings or StoreSettings()
    with _store_errors_as_settings_errors(settings):
        asyncio.run(migration.run(settings, dry_run=dry_run))


def config(
    *,
    json: Annotated[bool, _SWITCH, Parameter(help="Print a JSON object, for scripts.")] = False,
    settings: Settings | None = None,
    config: ConfigFile = None,
    sources: Annotated[Mapping[str, str], Parameter(parse=False)],
) -> None:
    """Show the settings that `chatcore serve` would use here, and where each value comes from.

    For example:

        chatcore config                   a table
        chatcore config --port 3002       what serve would do with this flag
        chatcore config --json | jq -r .port.value

    It takes the flags of serve, and ends with 2 and the same line if a value is wrong. Secrets are masked.
    """
    from .config_report import print_report  # it imports rich, which a server does not need

    for warning in _warnings():
        print(f"chatcore: {warning}", file=sys.stderr)
    settings = settings or Settings()
    settings.check()
    print_report(settings, sources, as_json=json)


def _warnings() -> Iterable[str]:
    """Return a line about each variable that may be a misspelt setting."""
    yield from dotenv_file.warnings(os.environ, "the environment")
    yield from dotenv_file.warnings(dotenv_file.read_dotenv(DOTENV), str(DOTENV))


@contextmanager
def _store_errors_as_settings_errors(settings: StoreSettings) -> Generator[None]:
    """Turn the errors of a store into a `SettingsError`, which names the setting: the store does not know it."""
    try:
        yield
    except StoreError as error:
        raise SettingsError(f"{settings.place}: {error}") from error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if uvloop is installed, otherwise None for asyncio's own loop."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
