"""The command `chatcore`."""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version

from cyclopts import App, ArgumentCollection, CoercionError, CycloptsError, Group, Token, UnusedCliTokensError
from cyclopts.argument import Argument

from chatcore_terminal.errors import INTERRUPTED, CommandError

from .errors import SettingsError

USAGE_ERROR = 2
"""The exit code for a wrong command line or setting, also if the server finds the fault when it starts."""
CONFIG_FLAG = "--config"

SERVER, CLIENT = Group("Server", sort_key=1), Group("Client", sort_key=2)
HELP = """A chat server, and a client for it.

Start the server, and chat in two other terminals:

    chatcore serve                     the server, on http://localhost:3001
    chatcore login alice --sign-up     once; asks for a new password
    chatcore login bob --sign-up
    chatcore chat bob --as alice       in one terminal
    chatcore chat alice --as bob       in the other one

`chatcore COMMAND --help` has examples, and all settings of the server."""
COMMANDS = {
    "serve": (SERVER, "chatcore_server.commands"),
    "config": (SERVER, "chatcore_server.commands"),
    "migrate": (SERVER, "chatcore_server.commands"),
    "login": (CLIENT, "chatcore_terminal.commands"),
    "chat": (CLIENT, "chatcore_terminal.commands"),
    "send": (CLIENT, "chatcore_terminal.commands"),
    "tail": (CLIENT, "chatcore_terminal.commands"),
    "logout": (CLIENT, "chatcore_terminal.commands"),
}
"""The commands, each with its group in the help and the module of its function."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sources: dict[str, str] = {}
    app = create_app(sources)
    if not set(arguments).intersection(COMMANDS):
        for name in COMMANDS:
            app[name]  # imports the command: the list of commands shows what each does
    try:
        command, bound, ignored = app.parse_args(arguments, exit_on_error=False, print_error=False)
        gc.enable()
        if "sources" in ignored:
            bound.arguments["sources"] = sources
        return command(*bound.args, **bound.kwargs) or 0
    except CycloptsError as error:
        return _print_error(_usage_error_text(error))
    except SettingsError as error:
        return _print_error(str(error))
    except CommandError as error:
        return _print_error(str(error), error.exit_code)
    except BrokenPipeError:  # what reads the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python complains at its end
        return 0
    except KeyboardInterrupt:  # before the server handles signals
        return INTERRUPTED


def create_app(sources: dict[str, str]) -> App:
    """Return the command line. Parsing it notes in ``sources`` where the values of settings come from.

    A module of commands is imported for its own commands only.
    """
    app = App(
        name="chatcore",
        help=HELP,
        version=version("chatcore"),
        config=[_dotenv, _toml, partial(_note_sources, sources)],
    )
    for order, (name, (group, module)) in enumerate(COMMANDS.items()):
        app.command(f"{module}:{name}", name=name, group=group, sort_key=order)
    return app


def _dotenv(_: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take settings of the command from `.env` that neither a flag nor the environment has set."""
    if _config_argument(arguments):
        from . import dotenv_file

        settings = dotenv_file.by_setting(dotenv_file.read_dotenv(dotenv_file.DOTENV))
        _take(settings, str(dotenv_file.DOTENV), arguments)


def _toml(_: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Take settings of the command that no other source has set from the TOML file."""
    argument = _config_argument(arguments)
    if argument is None:
        return
    from . import converters, toml_file

    path = toml_file.TOML
    if argument.tokens:
        try:
            path = converters.path(argument.tokens[-1].value)
        except ValueError:
            return  # its conversion, which comes later, refuses it
    _take(toml_file.read_toml(path, must_exist=bool(argument.tokens)), str(path), arguments)


def _config_argument(arguments: ArgumentCollection) -> Argument | None:
    """Return the argument that names the TOML file; None for a command without settings of the server."""
    return next((argument for argument in arguments if argument.name == CONFIG_FLAG), None)


def _take(settings: Mapping[str, str], source: str, arguments: ArgumentCollection) -> None:
    """Give each argument that no other source has set its value in ``settings``, if there is one."""
    for argument in arguments:
        if not argument.tokens and (value := settings.get(_setting(argument))) is not None:
            argument.append(Token(value=value, source=source))


def _note_sources(sources: dict[str, str], _: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Note which source set each argument. It runs after all sources."""
    kinds = {"cli": "flag", "env": "environment"}
    for argument in arguments:
        if argument.tokens:
            source = argument.tokens[-1].source
            sources[_setting(argument)] = kinds.get(source, source)


def _setting(argument: Argument) -> str:
    return argument.name.removeprefix("--").replace("-", "_")


def _usage_error_text(error: CycloptsError) -> str:
    """Return one line about an error. It shows no value, which may be a secret."""
    match error:
        case CoercionError(argument=argument, token=token) if argument and token:
            return f"{_place(argument, token)} {error.msg}."
        case UnusedCliTokensError():  # they may be a password
            command = " ".join(["chatcore", *(error.command_chain or ())])
            return f"`{command}` takes fewer arguments; see `{command} --help`."
        case _:
            return " ".join(str(error).split())


def _place(argument: Argument, token: Token) -> str:
    """Return what the user gave the value with: a flag, or a variable or a key in its place."""
    setting = _setting(argument)
    variable = f"CHATCORE_{setting.upper()}"
    match token.source:
        case "cli":
            return token.keyword or argument.name
        case "env":
            return f"{variable} in the environment"
        case ".env":
            return f"{variable} in .env"
        case toml:
            return f"{setting} in {toml}"


def _print_error(text: str, exit_code: int = USAGE_ERROR) -> int:
    print(f"chatcore: {text}", file=sys.stderr)
    return exit_code
