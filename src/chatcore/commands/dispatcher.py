"""From a command to what carries it out: its room, or its own handler."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from attrs import evolve, frozen

from ..domain.permissions import Rights
from ..errors import ChatError, Internal, NotFound, RateLimited
from ..ids import RoomId, UserId
from ..live.command_queue import Outcome, PendingCommand
from ..live.event_loop import current_time
from ..live.hub import Hub
from ..live.in_flight import InFlight
from ..live.live_sockets import LiveSocket
from ..ports.store import Store
from ..ports.user_directory import UserDirectory
from .command import Command, Context, ReadingCommand, RoomCommand
from .limits import CommandLimits

COMMAND_S = 5
"""Seconds until a queued command fails with `unavailable`."""

A = TypeVar("A")
log = logging.getLogger(__name__)


@frozen(kw_only=True)
class CommandDispatcher:
    """Carries commands out. ``in_flight`` counts those that are pending at their rooms."""

    store: Store
    hub: Hub
    directory: UserDirectory | None
    rights: Rights
    canonical: Callable[[UserId], UserId | None] | None
    new_id: Callable[[], str]
    in_flight: InFlight
    limits: CommandLimits | None = None

    def addressed(self, command: Command[A]) -> Command[A]:
        """The command with the names of users in their one spelling.

        Raises `NotFound` for a name that no user can have, `Internal` where the host's ``canonical`` fails.
        """
        if self.canonical is None:
            return command
        named = {name: getattr(command, name) for name in command.user_fields}
        spelled = {name: self._spelled(value) for name, value in named.items() if value is not None}
        return evolve(command, **spelled) if spelled else command

    async def read(self, user: UserId, command: ReadingCommand[A], socket: LiveSocket | None) -> A:
        """The answer of a reading command. Raises `ChatError`, and whatever a handler's own fault is."""
        return await command.handle(
            Context(
                user=user,
                store=self.store,
                hub=self.hub,
                directory=self.directory,
                rights=self.rights,
                socket=socket,
            )
        )

    def submit(
        self,
        user: UserId,
        command: RoomCommand[A],
        reply: Callable[[A | ChatError], None],
        socket: LiveSocket | None = None,
    ) -> None:
        """Queue a command at its room; ``reply`` takes the answer or the refusal, once."""
        key = command.key or self.new_id()
        room = command.room_id(user, key)
        is_limited = False
        if self.limits:
            if refusal := self.limits.refusal(user, command):
                self.refuse(room, user, refusal, reply, socket)
                return
            is_limited = command.is_message
        self.hub.submit(
            room,
            PendingCommand(
                user=user,
                key=key,
                command=command,
                target=command.target,
                reply=partial(self._answer, user, command, reply),
                deadline=current_time() + COMMAND_S,
                in_flight=socket.in_flight if socket else self.in_flight,
                socket=socket,
                limited=is_limited,
            ),
        )

    def refuse(
        self,
        room: RoomId,
        user: UserId,
        error: ChatError,
        reply: Callable[[ChatError], None],
        socket: LiveSocket | None,
    ) -> None:
        """Reply with a refusal, after the commands that the socket sent to ``room`` before it.

        Where there are none the reply comes at once: a client that is refused again and again costs the room nothing.
        """
        if socket is None or not self.hub.has_queued(room, socket):
            reply(error)
            return
        self.hub.submit(
            room,
            PendingCommand(
                user=user,
                key=self.new_id(),
                command=error,
                reply=lambda outcome: reply(outcome if isinstance(outcome, ChatError) else error),
                deadline=current_time() + COMMAND_S,
                in_flight=socket.in_flight,
                socket=socket,
            ),
        )

    def _answer(
        self, user: UserId, command: RoomCommand[A], reply: Callable[[A | ChatError], None], outcome: Outcome
    ) -> None:
        if isinstance(outcome, ChatError):
            if self.limits and command.is_message and isinstance(outcome, RateLimited):
                self.limits.forget(user)
            reply(outcome)
            return
        answer: A | ChatError
        try:
            if outcome.entry is None:
                answer = command.unchanged()
            else:
                answer = command.answer(outcome.entry, duplicate=outcome.duplicate, epoch=self.store.epoch)
        except Exception:
            log.exception("the answer of %s could not be made", command.name)
            answer = Internal()
        reply(answer)

    def spelled(self, user: UserId) -> UserId | None:
        """The one spelling of a user's name; None for a name that no user can have.

        Raises `Internal` where the host's ``canonical`` fails; the fault is logged.
        """
        try:
            return self.canonical(user) if self.canonical else user
        except Exception:
            log.exception("canonical failed")
            raise Internal from None

    def _spelled(self, value: UserId | Sequence[UserId]) -> UserId | Sequence[UserId]:
        return self._spell(value) if isinstance(value, str) else [self._spell(one) for one in value]

    def _spell(self, user: UserId) -> UserId:
        found = self.spelled(user)
        if found is None:
            raise NotFound
        return found
