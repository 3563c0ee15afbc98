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

from . import environment, log, serving
from .settings import PREFIX, Settings, SettingsError, StoreSettings
from .welcome import welcome

WRONG = 2
"""The exit code for a wrong command line or setting, also where that shows only at the start."""
INTERRUPTED = 130
DOTENV = Path(".env")

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and give the exit code."""
    try:
        command, bound, _ = _app().parse_args(arguments, exit_on_error=False, print_error=False)
        return command(*bound.args, **bound.kwargs) or 0
    except CycloptsError as error:
        return _refused(_what_is_wrong(error))
    except SettingsError as error:
        return _refused(str(error))
    except KeyboardInterrupt:  # before the server was up
        return INTERRUPTED


def serve(*, settings: Settings | None = None) -> int:
    """Start the server, until Ctrl-C, SIGTERM or SIGHUP.

    A setting is a flag, a variable of the environment, or a line in the file .env of the working directory: where
    several say something, the first of these counts.
    """
    log.configure()
    for warning in [
        *environment.warnings(os.environ, "the environment"),
        *environment.warnings(environment.read_dotenv(DOTENV), str(DOTENV)),
    ]:
        _log.warning(warning)
    settings = settings or Settings()
    os.umask(0o077)  # what the server makes is its own user's to read
    with _refusals_of_the_store(settings), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving.serve(settings, partial(_announce, settings)))
    return 0


def migrate(
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Say what would be done, and do nothing.")] = False,
    settings: StoreSettings | None = None,
) -> int:
    """Bring the store's database to this version. Servers do it by themselves at their start, where that is quick."""
    from . import migrating  # with rich, which a server has no use for

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the progress bar gives the cursor back
    settings = settings or StoreSettings()
    with _refusals_of_the_store(settings):
        asyncio.run(migrating.run(settings, dry_run=dry_run))
    return 0


@contextmanager
def _refusals_of_the_store(settings: StoreSettings) -> Generator[None]:
    """A store does not know which setting led to it."""
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
    """Read `.env` for what neither a flag nor the environment says."""
    flags = {argument.name for argument in arguments}
    found = environment.by_setting(environment.read_dotenv(DOTENV))
    found = {name: value for name, value in found.items() if "--" + name.replace("_", "-") in flags}
    Dict(found, source=str(DOTENV), use_commands_as_keys=False)(app, commands, arguments)


def _what_is_wrong(error: CycloptsError) -> str:
    """One line. It shows no value: that may be a secret."""
    match error:
        case CoercionError(argument=argument, token=token) if argument and token:
            variable = PREFIX + argument.name.removeprefix("--").upper().replace("-", "_")
            where = {"cli": token.keyword, "env": f"{variable} in the environment"}
            return f"{where.get(token.source, f'{variable} in {token.source}')} {error.msg}."
        case UnusedCliTokensError():
            return "chatcore's commands take flags only, each with its value; see `chatcore serve --help`."
        case _:
            return " ".join(str(error).split())


def _refused(why: str) -> int:
    print(f"chatcore: {why}", file=sys.stderr)
    return WRONG


def _announce(settings: Settings, addresses: Sequence[serving.Address]) -> None:
    print(welcome(settings, addresses), flush=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one; None is asyncio's own."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
