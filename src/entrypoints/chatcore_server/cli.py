"""The command `chatcore`."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, ArgumentCollection, CoercionError, CycloptsError, Parameter, UnusedCliTokensError
from cyclopts.config import Dict

from chatcore.errors import StoreError

from . import dotenv_file, log, serving
from .settings import PREFIX, Settings, SettingsError, StoreSettings
from .welcome import welcome

USAGE_ERROR = 2
"""The exit code for a wrong command line or setting, also if the server finds the fault when it starts."""
INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 plus SIGINT."""
DOTENV = Path(".env")

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit code."""
    try:
        command, bound, _ = _app().parse_args(arguments, exit_on_error=False, print_error=False)
        return command(*bound.args, **bound.kwargs) or 0
    except CycloptsError as error:
        return _print_error(_usage_error_text(error))
    except SettingsError as error:
        return _print_error(str(error))
    except KeyboardInterrupt:  # before the server handles signals
        return INTERRUPTED


def serve(*, settings: Settings | None = None) -> int:
    """Start the server, until Ctrl-C, SIGTERM or SIGHUP.

    A setting is a flag, a variable of the environment, or a line in the file .env of the working directory. If a
    setting is given more than once, the first of these counts.
    """
    log.configure()
    for warning in [
        *dotenv_file.warnings(os.environ, "the environment"),
        *dotenv_file.warnings(dotenv_file.read_dotenv(DOTENV), str(DOTENV)),
    ]:
        _log.warning(warning)
    settings = settings or Settings()
    os.umask(0o077)  # only the server's own user may read its files
    with _store_errors_as_settings_errors(settings), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving.serve(settings, partial(_announce, settings)))
    return 0


def migrate(
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Print the steps, and change nothing.")] = False,
    settings: StoreSettings | None = None,
) -> int:
    """Bring the store's database to this version. A server does this at its start if it is quick."""
    from . import migration  # it imports rich, which a server does not need

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the progress bar restores the terminal's cursor
    settings = settings or StoreSettings()
    with _store_errors_as_settings_errors(settings):
        asyncio.run(migration.run(settings, dry_run=dry_run))
    return 0


@contextmanager
def _store_errors_as_settings_errors(settings: StoreSettings) -> Generator[None]:
    """Turn the errors of a store into a `SettingsError`, which names the setting: the store does not know it."""
    try:
        yield
    except StoreError as error:
        raise SettingsError(f"{settings.place}: {error}") from error


def _app() -> App:
    app = App(name="chatcore", help="Chat for any Python service.", version=version("chatcore"), config=[_dotenv])
    app.command(serve)
    app.command(migrate)
    return app


def _dotenv(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take settings of the command from `.env` that neither a flag nor the environment has set."""
    flags = {argument.name for argument in arguments}
    settings = dotenv_file.by_setting(dotenv_file.read_dotenv(DOTENV))
    settings = {name: value for name, value in settings.items() if "--" + name.replace("_", "-") in flags}
    Dict(settings, source=str(DOTENV), use_commands_as_keys=False)(app, commands, arguments)


def _usage_error_text(error: CycloptsError) -> str:
    """Return one line about an error. It shows no value, which may be a secret."""
    match error:
        case CoercionError(argument=argument, token=token) if argument and token:
            variable = PREFIX + argument.name.removeprefix("--").upper().replace("-", "_")
            places = {"cli": token.keyword, "env": f"{variable} in the environment"}
            return f"{places.get(token.source, f'{variable} in {token.source}')} {error.msg}."
        case UnusedCliTokensError():
            return "The commands of chatcore take flags only, each with its value; see `chatcore serve --help`."
        case _:
            return " ".join(str(error).split())


def _print_error(text: str) -> int:
    print(f"chatcore: {text}", file=sys.stderr)
    return USAGE_ERROR


def _announce(settings: Settings, addresses: Sequence[serving.Address]) -> None:
    print(welcome(settings, addresses), flush=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if uvloop is installed, otherwise None for asyncio's own loop."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
