"""Signing in and out. Passwords come from the terminal, the environment or standard input, and never from a flag."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

from . import api
from .errors import USAGE, CommandError
from .sessions import Session, SessionFile

PASSWORD = "CHATCORE_PASSWORD"
NO_PASSWORD = f"There is no password: type it, set {PASSWORD}, or write it to standard input."
LOOPBACK = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")


def read_password(user: str, url: str, *, is_new: bool) -> str:
    """Return the password. On a terminal it is not echoed, and a new one is asked for twice.

    Raises:
        CommandError: there is none, or the two differ.
    """
    if password := os.environ.get(PASSWORD):
        return password
    if sys.stdin is None or not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    else:
        try:
            password = getpass.getpass(f"{'New password' if is_new else 'Password'} of {user} at {url}: ")
            if is_new and getpass.getpass("The same again: ") != password:
                raise CommandError("The two passwords differ; nothing was done.", USAGE)
        except EOFError:
            password = ""
    if not password:
        raise CommandError(NO_PASSWORD, USAGE)
    return password


async def sign_in(url: str, user: str, password: str, *, sign_up: bool) -> Session:
    """Return a new session, and keep it.

    Args:
        url: the server.
        user: the name; the server may normalise it.
        password: the password.
        sign_up: whether to create the account, unless it is there.

    Raises:
        CommandError: the server refuses it, or does not answer.
    """
    exists = False
    if sign_up:
        try:
            await _patiently(lambda: api.sign_up(url, user, password))
        except api.Refused as refused:
            if refused.code != "conflict":
                raise
            exists = True
    try:
        answer = await _patiently(lambda: api.sign_in(url, user, password))
    except api.Refused as refused:
        if refused.code != "unauthenticated":
            raise
        if exists:
            raise CommandError(f"The name {user} is taken, and this is not its password.") from refused
        raise CommandError("The name or the password is wrong; a new account needs --sign-up.") from refused
    session = Session.of(url, answer)
    SessionFile.of(url, session.user).write(session)
    return session


async def sign_out(session: Session) -> None:
    """End the session at the server, and then forget it here.

    Raises:
        CommandError: the server does not answer; the session is kept.
    """
    file = SessionFile.of(session.url, session.user)
    try:
        await api.sign_out(session.url, await file.token())
    except api.Refused as refused:
        if refused.code != "unauthenticated":
            raise
    file.remove()


def is_in_the_clear(url: str) -> bool:
    """Return whether a password for the server can be read on the network."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the server has time."""
    while True:
        try:
            return await ask()
        except api.Busy as busy:
            wait_s = max(busy.retry_after_s, 1)
            print(f"chatcore: {busy} Trying again in {wait_s} s.", file=sys.stderr)
            await asyncio.sleep(wait_s)
