"""A socket: where the commands of one connection come in, in their order."""

import logging
from collections.abc import Callable
from typing import Any

from .commands.command import Command, ReadingCommand, RoomCommand
from .commands.dispatcher import CommandDispatcher
from .commands.table import COMMANDS
from .errors import ChatError, Internal, Unavailable
from .ids import RoomId, is_user_id, private_room_id
from .live.event_loop import LoopGuard
from .live.in_flight import InFlight
from .live.live_sockets import LiveSocket
from .ports.connection import Bye, Push
from .ports.registry import SocketInfo
from .protocol import Object, answer_object, error_object, read_command

UNANSWERED_MAX = 64

log = logging.getLogger(__name__)


class Socket:
    """One connection of a user, as `Chat.connect` gives it to a transport."""

    def __init__(self, dispatcher: CommandDispatcher, live: LiveSocket, info: SocketInfo, loop: LoopGuard) -> None:
        self.info = info
        self._loop = loop
        self._dispatcher = dispatcher
        self._live = live
        self._unanswered = InFlight()

    async def receive(self, event: str, data: object, answer: Callable[[Object], None] | None = None) -> None:
        """Take a command from the wire; called by one task at a time, in the order in which commands came.

        A command to a room is queued there before this returns; it waits only while 64 are unanswered. One that reads
        is carried out in here, once everything before it has been answered and less than 256 KiB is outstanding. So
        this may stand for seconds: heartbeat and close must not depend on it. ``answer`` is called once, with
        ``{"ok": true, …}`` or ``{"ok": false, "error": …}``, perhaps after this has returned; what it raises is logged,
        and reaches nobody else. Cancelled before it is queued a command is not carried out; after that it is.

        Raises:
            RuntimeError: this is another event loop than the one in which the Chat was entered.
        """
        self._loop.check()
        reply = _guarded(answer) if answer else _drop
        try:
            command = self._dispatcher.addressed(read_command(event, data))
        except ChatError as error:
            await self._refuse(event, data, error, reply)
        except Exception:
            log.exception("%s could not be read", event)
            reply(_failure(Internal()))
        else:
            await self._carry_out(command, reply)

    def send(self, push: Push) -> None:
        """Push something that concerns this socket alone."""
        self._live.connection.send(push)

    def close(self, bye: Bye) -> None:
        """Tell the client why, and end the connection."""
        self._live.connection.close(bye)

    def end(self) -> None:
        """The connection is gone: whoever waits in `receive` goes on."""
        self._unanswered.close()

    async def _carry_out(self, command: Command[Any], reply: Callable[[Object], None]) -> None:
        match command:
            case ReadingCommand():
                await self._unanswered.at_most(0)
                await self._live.connection.drained()
                # Nothing is awaited between the handler's end and the answer: a `sync` counts on it.
                reply(_success_or_failure(await self._read(command)))
            case RoomCommand():
                await self._unanswered.at_most(UNANSWERED_MAX - 1)
                self._unanswered.add()
                self._dispatcher.submit(self.info.user, command, self._once(reply), self._live)
            case _:
                raise TypeError(f"{type(command).__name__} neither reads nor appends")

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

    async def _refuse(self, event: str, data: object, error: ChatError, reply: Callable[[Object], None]) -> None:
        try:
            room = self._room_meant(event, data)
        except Internal as failed:
            room, error = None, failed
        if room is None:
            reply(_failure(error))
            return
        await self._unanswered.at_most(UNANSWERED_MAX - 1)
        self._unanswered.add()
        self._dispatcher.refuse(room, self.info.user, error, self._once(reply), self._live)

    def _room_meant(self, event: str, data: object) -> RoomId | None:
        """The room whose queue a refused command belongs into, where that can be told."""
        if not issubclass(COMMANDS.get(event, Command), RoomCommand):
            return None
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)} if is_user_id(user) and (peer := self._dispatcher.spelled(user)):
                return private_room_id(self.info.user, peer)
            case _:
                return None

    def _once(self, reply: Callable[[Object], None]) -> Callable[[object], None]:
        def answer(result: object) -> None:
            self._unanswered.done()
            reply(_success_or_failure(result))

        return answer


def _success_or_failure(result: object) -> Object:
    if isinstance(result, ChatError):
        return _failure(result)
    try:
        return {"ok": True, **answer_object(result)}
    except Exception:
        log.exception("an answer could not be written")
        return _failure(Internal())


def _failure(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}


def _guarded(answer: Callable[[Object], None]) -> Callable[[Object], None]:
    def reply(found: Object) -> None:
        try:
            answer(found)
        except Exception:
            log.exception("an answer could not be given")

    return reply


def _drop(_: Object) -> None:
    """A command that asked for no answer is carried out all the same."""
