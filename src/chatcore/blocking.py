"""A Chat for callers that do not await: Flask, Celery, scripts."""

import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from .chat import Chat
from .commands.command import Command
from .ids import UserId
from .ports.registry import SocketInfo

NOT_ENTERED = "enter Blocking first: `with Blocking(Chat(store)) as chat`"
FORKED = "Blocking was entered in another process, and its thread does not survive a fork: enter it after the fork"

A = TypeVar("A")
T = TypeVar("T")


class Blocking:
    """Runs a Chat in an event loop of its own thread: ``with Blocking(Chat(store)) as chat``.

    Its methods are those of `Chat`, for any thread but that of the event loop: they return the result, or raise what
    `Chat` raises. Leaving the block waits for pending calls.

    A server that forks enters it in each of its worker processes, because a thread does not survive a fork.

    Args:
        chat: a Chat that was not entered.

    Raises:
        RuntimeError: a method was called while the block is not entered, in another process than the one that entered
            it, or in the thread of its event loop.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._entered = ExitStack()
        self._portal: BlockingPortal | None = None
        self._process: int | None = None

    def __enter__(self) -> Self:
        """Start the event loop and enter the Chat. Raises what entering the Chat raises."""
        with ExitStack() as entering:
            portal = entering.enter_context(start_blocking_portal())
            entering.enter_context(portal.wrap_async_context_manager(self._chat))
            self._portal, self._process = portal, os.getpid()
            self._entered = entering.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the Chat and end the event loop."""
        self._portal = None
        self._entered.__exit__(kind, error, traceback)

    def execute(self, user: UserId, command: Command[A], *, trusted: bool = False) -> A:
        """Carry out a command for a user; see `Chat.execute`."""
        return self._call(lambda: self._chat.execute(user, command, trusted=trusted))

    def sockets(self, user: UserId) -> Sequence[SocketInfo]:
        """Return a user's open sockets; see `Chat.sockets`."""
        return self._call(lambda: self._chat.sockets(user))

    def close_socket(self, user: UserId, socket: str) -> None:
        """Close a user's socket; see `Chat.close_socket`."""
        self._call(lambda: self._chat.close_socket(user, socket))

    def close_session(self, user: UserId, session: str) -> None:
        """Close every socket of a session; see `Chat.close_session`."""
        self._call(lambda: self._chat.close_session(user, session))

    def close_sockets(self, user: UserId) -> None:
        """Close every socket of a user; see `Chat.close_sockets`."""
        self._call(lambda: self._chat.close_sockets(user))

    def _call(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._portal is None:
            raise RuntimeError(NOT_ENTERED)
        if self._process != os.getpid():
            raise RuntimeError(FORKED)
        result: T = self._portal.call(function)
        return result
