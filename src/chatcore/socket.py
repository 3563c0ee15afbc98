"""A socket: where the commands of one connection come in, in their order."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

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

log = logging.getLogger(__name__)

Answer: TypeAlias = Callable[[Object], None]


class Socket:
    """A connection of a user, as `Chat.connect` gives it to a transport."""

    def __init__(self, dispatcher: CommandDispatcher, live: LiveSocket, info: SocketInfo, loop: LoopGuard) -> None:
        self.info = info
        self._loop = loop
        self._dispatcher = dispatcher
        self._live = live

    async def receive(self, event: str, data: object, answer: Answer | None = None) -> None:
        """Take a command from the wire; called by one task at a time, in the order in which commands came.

        A command to a room is queued there before this returns; it waits only while 64 are in flight. A command that
        reads is carried out in here, once all commands before it have been answered and less than 256 KiB is still to
        be sent. So this may take seconds: heartbeat and close must not depend on it. Cancelled before it is queued a
        command is not carried out; after that it is.

        Args:
            answer: called once, with ``{"ok": true, …}`` or ``{"ok": false, "error": …}``, perhaps after this has
                returned; what it raises is logged.

        Raises:
            RuntimeError: this is another event loop than the one in which the Chat was entered.
        """
        self._loop.check()
        try:
            command = self._dispatcher.addressed(read_command(event, data))
        except ChatError as error:
            await self._refuse(event, data, error, answer)
        except Exception:
            log.exception("%s could not be read", event)
            _answer(answer, Internal())
        else:
            if isinstance(command, RoomCommand):
                if self._live.in_flight.count >= IN_FLIGHT_MAX:
                    await self._wait_for_a_place()
                self._dispatcher.submit(self.info.user, command, partial(_answer, answer), self._live)
            elif isinstance(command, ReadingCommand):
                await self._live.in_flight.at_most(0)
                await self._live.connection.drained()
                # Nothing is awaited between the handler's end and the answer: a `sync` counts on it.
                _answer(answer, await self._read(command))
            else:
                raise TypeError(f"{type(command).__name__} neither reads nor appends")

    def send(self, push: Push) -> None:
        """Push something that concerns this socket alone."""
        self._live.connection.send(push)

    def close(self, bye: Bye) -> None:
        """Tell the client why, and end the connection."""
        self._live.connection.close(bye)

    def end(self) -> None:
        """The connection is gone: a call of `receive` that waits goes on."""
        self._live.in_flight.close()

    async def _wait_for_a_place(self) -> None:
        await self._live.in_flight.at_most(IN_FLIGHT_MAX - 1)

    async def _read(self, command: ReadingCommand[object]) -> object:
        if self._live.ended:
            return Unavailable()
        try:
            return await self._dispatcher.read(self.info.user, command, self._live)
        except ChatError as error:
            return error.with_traceback(None)  # a frame of it that keeps the error would be a reference cycle
        except Exception:
            log.exception("%s failed", command.name)
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
        """Return the room at which a refused command would have been queued, as far as its fields tell."""
        if not issubclass(COMMANDS.get(event, Command), RoomCommand):
            return None
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)} if is_user_id(user) and (peer := self._dispatcher.spelled(user)):
                return private_room_id(self.info.user, peer)
            case _:
                return None


def _answer(answer: Answer | None, result: object) -> None:
    """Write a result for the client. A command without ``answer`` was carried out all the same."""
    if answer is None:
        return
    try:
        written = _error(result) if isinstance(result, ChatError) else {"ok": True, **answer_object(result)}
    except Exception:
        log.exception("an answer could not be written")
        written = _error(Internal())
    try:
        answer(written)
    except Exception:
        log.exception("an answer could not be given")


def _error(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}
