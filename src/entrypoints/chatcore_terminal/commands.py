"""The commands of a client."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from .display import safe
from .errors import CommandError
from .options import DEFAULT_URL, SWITCH, URL, As, At, Json, Lines, To, Wait
from .sessions import Session, SignedOutError, choose

T = TypeVar("T")


def login(
    user: Annotated[str, Parameter(help="The user's name.")],
    /,
    *,
    sign_up: Annotated[bool, SWITCH, Parameter(help="Create the account first, unless it is there.")] = False,
    url: Annotated[str, URL, Parameter(help="The server.")] = DEFAULT_URL,
) -> None:
    """Sign in, and stay signed in on this machine. The password is asked for.

    For example:

        chatcore login alice --sign-up                     a new account
        chatcore login alice --url https://chat.example    an account at this server
        chatcore login alice < password-file               for scripts

    Several users may be signed in at once; other commands then take --as USER, or CHATCORE_AS=USER. A script may
    set CHATCORE_PASSWORD too. The session is kept in a file that only you can read, in $XDG_STATE_HOME/chatcore or
    ~/.local/state/chatcore. The password is not kept.
    """
    from . import signing_in

    if signing_in.is_in_the_clear(url):
        print(f"chatcore: {url} is not encrypted: others on the network can read the password.", file=sys.stderr)
    _let_ctrl_c_raise()
    password = signing_in.read_password(user, url, is_new=sign_up)
    session = _run(signing_in.sign_in(url, user, password, sign_up=sign_up))
    print(f"{safe(session.user)} is signed in at {url}.")


def logout(*, as_: As = None, url: At = None) -> None:
    """Sign out: end the session at the server and on this machine.

    For example:

        chatcore logout
        chatcore logout --as alice       if several users are signed in

    If the server does not answer, nothing is done.
    """
    from . import signing_in

    session = choose(as_, url)
    with suppress(SignedOutError):  # it had ended before
        _run(signing_in.sign_out(session))
    print(f"{safe(session.user)} is signed out at {session.url}.")


def chat(to: To, /, *, lines: Lines = 10, as_: As = None, url: At = None) -> int:
    """Chat with a user or in a room: see what is written, and type messages, one a line. Ctrl-D ends it.

    For example, in two terminals:

        chatcore chat bob --as alice
        chatcore chat alice --as bob

    What can't be sent yet is kept, and goes with the next chat or send.
    """
    from . import following
    from .lines import typed_lines

    session = choose(as_, url)
    return _run_with_outbox(session, following.chat(session, to, typed_lines(), lines=lines))


def send(
    to: To,
    /,
    *text: Annotated[str, Parameter(help="The message. Without it, each line of standard input is one.")],
    as_: As = None,
    url: At = None,
    wait: Wait = None,
    json: Json = False,
) -> int:
    """Send messages to a user or a room.

    For example:

        chatcore send bob Dinner is ready
        make 2>&1 | chatcore send bob               each line is a message
        chatcore send bob --wait 10 -- -1 degrees   what follows -- is text

    A message is kept in an outbox until the server has it. Without a connection, or interrupted, the
    next send or chat delivers it, once and in its order. The exit code is 0 if all messages were sent, 1 if the server
    refused one, 2 for a wrong command line or a user who is not signed in, 75 after --wait, 130 after Ctrl-C.
    """
    from . import sending
    from .lines import given, typed_lines

    session = choose(as_, url)
    if not text and sys.stdin is not None and sys.stdin.isatty():
        print("chatcore: type messages, one a line. Ctrl-D ends it.", file=sys.stderr)
    lines = given(" ".join(text)) if text else typed_lines()
    return _run_with_outbox(session, sending.send(session, to, lines, as_json=json, wait_s=wait))


def tail(
    to: Annotated[str | None, Parameter(help="A user, or the id of a room. Without it, all rooms.")] = None,
    /,
    *,
    lines: Lines = 10,
    as_: As = None,
    url: At = None,
    json: Json = False,
) -> None:
    """Follow what is written to a user and you, to a room, or to all your rooms. Ctrl-C ends it.

    For example:

        chatcore tail                                   all rooms
        chatcore tail bob -n 100                        the last 100 messages, then new ones
        chatcore tail bob --json | jq -r .body          entries as the server has them

    It goes on by itself when the server was away, and misses nothing. Lines on standard error say so.
    """
    from . import following

    _run(following.tail(choose(as_, url), to, lines=lines, as_json=json))


def _run_with_outbox(session: Session, command: Coroutine[Any, Any, int]) -> int:
    """Run a command that sends. If it ends before its end, say what it has left in the outbox."""
    from .sending import kept_text

    try:
        return _run(command)
    except CommandError as error:
        raise CommandError(f"{error} {kept_text(session)}".rstrip(), error.exit_code) from error
    except KeyboardInterrupt:
        if text := kept_text(session):
            print(f"chatcore: {text}", file=sys.stderr)
        raise


def _run(command: Coroutine[Any, Any, T]) -> T:
    _let_ctrl_c_raise()
    return asyncio.run(command)


def _let_ctrl_c_raise() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, also where it ends the process at once until now: there is work to finish."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
