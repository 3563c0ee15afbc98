"""A socket: takes the commands of one connection in their order."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from attrs import evolve

from .commands.command import Command, ReadingCommand, RoomCommand
from .commands.dispatcher import CommandDispatcher
from .commands.table import COMMANDS
from .errors import ChatError, Internal, Unavailable
from .ids import RoomId, is_user_id, private_room_id
from .live.event_loop import LoopGuard
from .live.live_sockets import LiveSocket
from .ports.pushes import Bye, Push
from .ports.registry import SocketInfo
from .protocol import Object, answer_object, error_object, read_command

IN_FLIGHT_MAX = 64
"""The most commands of a socket that are in flight."""

log: Final = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[Object], None]


class Socket:
    """A user's connection, opened by `Chat.connect` for a transport. ``info`` describes it."""

    def __init__(self, dispatcher: CommandDispatcher, live: LiveSocket, info: SocketInfo, loop: LoopGuard) -> None:
        self.info: SocketInfo = info
        self._loop = loop
        self._dispatcher = dispatcher
        self._live = live

    async def receive(self, event: str, data: object, answer: Answer | None = None) -> None:
        """Take a command from the wire. One task at a time calls this, in the order of the commands.

        A command that appends is queued at its room before this returns. The call waits only while 64 commands are in
        flight. A command that reads is carried out by this call, once all earlier commands have been answered and less
        than 256 KiB waits to be sent. So a call may take seconds: heartbeats and closing must not depend on it. If the
        call is cancelled, a command that is queued is still carried out, and one that is not queued is not.

        Args:
            event: the command's name.
            data: the command's fields, a wire object.
            answer: called once with ``{"ok": true, …}`` or ``{"ok": false, "error": …}``, perhaps after this call has
                returned. Its exceptions are logged.

        Raises:
            RuntimeError: the Chat was entered in another event loop.
        """
        self._loop.check()
        try:
            command = self._dispatcher.addressed(read_command(event, data))
        except ChatError as error:
            await self._refuse(event, data, error, answer)
        except Exception:
            log.exception("command reading failed: command=%s", event)
            _answer(answer, Internal())
        else:
            if isinstance(command, RoomCommand):
                if self._live.in_flight.count >= IN_FLIGHT_MAX:
                    await self._wait_for_a_place()
                reply = partial(_answer, answer)
                if self._dispatcher.host_checks.is_needed:
                    await self._dispatcher.submit_checked(self.info.user, command, reply, "socket", self._live)
                else:
                    self._dispatcher.submit(self.info.user, command, reply, self._live)
            elif isinstance(command, ReadingCommand):
                await self._live.in_flight.at_most(0)
                await self._live.connection.drained()
                # No await between the handler's end and the answer: `sync` relies on that.
                _answer(answer, await self._read(command))
            else:
                raise TypeError(f"{type(command).__name__} neither reads nor appends")

    def note_away(self, away: bool) -> None:
        """Note what the client has said about its user in ``info``."""
        self.info = evolve(self.info, away=away)

    def send(self, push: Push) -> None:
        """Send a push to this socket alone."""
        self._live.connection.send(push)

    def close(self, bye: Bye) -> None:
        """Send the reason to the client and end the connection."""
        self._live.connection.close(bye)

    def end(self) -> None:
        """Let a waiting call of `receive` continue, because the connection has ended."""
        self._live.in_flight.close()

    async def _wait_for_a_place(self) -> None:
        await self._live.in_flight.at_most(IN_FLIGHT_MAX - 1)

    async def _read(self, command: ReadingCommand[object]) -> object:
        if self._live.ended:
            return Unavailable()
        try:
            return await self._dispatcher.read(self.info.user, command, self._live)
        except ChatError as error:
            return error.with_traceback(None)  # its frames refer to the error: a reference cycle
        except Exception:
            log.exception("command failed: command=%s", command.name)
            return Internal()

    async def _refuse(self, event: str, data: object, error: ChatError, answer: Answer | None) -> None:
        try:
            room = self._room_of(event, data)
        except Internal as failure:
            room, error = None, failure
        if room is None:
            _answer(answer, error)
            return
        await self._wait_for_a_place()
        self._dispatcher.refuse(room, self.info.user, error, partial(_answer, answer), self._live)

    def _room_of(self, event: str, data: object) -> RoomId | None:
        """Return the room at which a refused command would have been queued; None if its fields do not say."""
        if not issubclass(COMMANDS.get(event, Command), RoomCommand):
            return None
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)} if is_user_id(user) and (peer := self._dispatcher.canonical_user(user)):
                return private_room_id(self.info.user, peer)
            case _:
                return None


def _answer(answer: Answer | None, result: object) -> None:
    """Call ``answer``, if there is one, with the wire object of a result."""
    if answer is None:
        return
    try:
        written = _error(result) if isinstance(result, ChatError) else {"ok": True, **answer_object(result)}
    except Exception:
        log.exception("answer conversion failed")
        written = _error(Internal())
    try:
        answer(written)
    except Exception:
        log.exception("answer callback failed")


def _error(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}
