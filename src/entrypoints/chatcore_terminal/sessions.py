"""The sessions of the users who have signed in, each in a file of the state folder that only its owner can read.

Several processes may use a session at the same time. A refresh token may be used once, so a process refreshes under a
lock, and first looks whether another process has done so.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from . import api
from .errors import USAGE, CommandError

LOCK_POLL_S = 0.05
"""Seconds between two attempts to lock a session. A lock of a file can't be awaited."""
GOOD_SHARE = 0.9
"""The share of an access token's life for which it is used."""

_PLAIN = re.compile(r"[a-z0-9._-]{1,32}")


class SignedOutError(CommandError):
    """The session has ended: its user has to sign in anew."""

    def __init__(self, user: str, url: str) -> None:
        super().__init__(f"{user} is signed out; sign in anew: chatcore login {user} --url {url}", USAGE)


@frozen(kw_only=True)
class Session:
    """The tokens of a user at a server.

    Attributes:
        good_until: Unix time until which the access token is used.
    """

    url: str
    user: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    good_until: float

    @classmethod
    def of(cls, url: str, answer: Mapping[str, Any]) -> "Session":
        """Return the session of a server's answer with tokens."""
        return cls(
            url=url,
            user=answer["user"],
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            good_until=time.time() + answer["expires_in"] * GOOD_SHARE,
        )


def state_folder() -> Path:
    """Return the folder of this user's state (XDG Base Directory Specification)."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise CommandError("There is no home folder; set XDG_STATE_HOME to a folder for sessions.", USAGE) from None
    return base / "chatcore"


def name_of(url: str, user: str) -> str:
    """Return the name of the files of a user at a server."""
    digest = hashlib.sha256(f"{url}\n{user}".encode()).hexdigest()[:12]
    return f"{user if _PLAIN.fullmatch(user) else 'user'}-{digest}"


@frozen
class SessionFile:
    """The file of a session."""

    path: Path

    @classmethod
    def of(cls, url: str, user: str) -> "SessionFile":
        return cls(state_folder() / f"{name_of(url, user)}.session")

    def read(self) -> Session | None:
        """Return the session; None if there is none.

        Raises:
            CommandError: the file cannot be read, is not valid, or is open to other users of the machine.
        """
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CommandError(f"{self.path} can't be read: {error.strerror}.", USAGE) from error
        if mode & 0o077:
            raise CommandError(
                f"{self.path} is open to other users of this machine: `chmod 600` it if no one has read it, otherwise "
                "remove it and sign in anew.",
                USAGE,
            )
        try:
            return Session(**json.loads(content))
        except (ValueError, TypeError):
            raise CommandError(f"{self.path} holds no session: remove it and sign in anew.", USAGE) from None

    def write(self, session: Session) -> None:
        """Replace the file. A reader, or a crash, finds the old file or the new one."""
        draft = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write(draft, json.dumps(attrs.asdict(session)).encode())
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)
            _sync(self.path.parent)
        except OSError as error:
            raise CommandError(f"{self.path} can't be written: {error.strerror}.") from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    async def token(self, refused: str | None = None) -> str:
        """Return an access token. The session is refreshed if its token is old or ``refused``.

        Raises:
            SignedOutError: the session has ended.
            CommandError: the server does not answer, or the file is not valid.
        """
        found = self._present()
        if found.access_token != refused and time.time() < found.good_until:
            return found.access_token
        async with self._lock():
            session = self._present()
            if session == found:  # no other process has refreshed it
                session = await self._refreshed(session)
                self.write(session)
        return session.access_token

    def _present(self) -> Session:
        session = self.read()
        if session is None:
            raise CommandError("The user has signed out on this machine; sign in anew with `chatcore login`.", USAGE)
        return session

    async def _refreshed(self, session: Session) -> Session:
        try:
            return Session.of(session.url, await api.refresh(session.url, session.refresh_token))
        except api.Refused as refused:
            if refused.code != "unauthenticated":
                raise
            self.remove()
            raise SignedOutError(session.user, session.url) from refused

    @asynccontextmanager
    async def _lock(self) -> AsyncGenerator[None]:
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOCK_POLL_S)
            yield
        finally:
            os.close(lock)


def signed_in() -> Sequence[Session]:
    """Return all sessions of this user of the machine, by user and server."""
    files = state_folder().glob("*.session")
    sessions = [session for path in files if (session := SessionFile(path).read())]
    return sorted(sessions, key=lambda session: (session.user, session.url))


def choose(user: str | None, url: str | None) -> Session:
    """Return the session that a command is for. A user, or a server, needs no name if there is only one.

    Raises:
        CommandError: there is no such session, or more than one.
    """
    sessions = signed_in()
    fitting = [session for session in sessions if _fits(session, user, url)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CommandError(f"Several users are signed in: {_listed(fitting)}. Say which.", USAGE)
    wanted = f"{user} is not signed in" if user else "No user is signed in"
    wanted += f" at {url}" if url else ""
    others = f" (signed in: {_listed(sessions)})" if sessions else ""
    raise CommandError(f"{wanted}{others}; sign in: chatcore login {user or 'USER'}", USAGE)


def _fits(session: Session, user: str | None, url: str | None) -> bool:
    """Return whether a session is of the user, whose name may be written in another case, and of the server."""
    return (user is None or session.user in (user, user.casefold())) and url in (None, session.url)


def _listed(sessions: Sequence[Session]) -> str:
    """Return the flags that choose each of ``sessions``."""
    users = [session.user for session in sessions]
    return ", ".join(
        f"--as {session.user}" + (f" --url {session.url}" if users.count(session.user) > 1 else "")
        for session in sessions
    )


def _write(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(file, 0o600)
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
