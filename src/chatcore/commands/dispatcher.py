"""From a command to what carries it out: its room, or its own handler."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen

from ..domain.permissions import Rights
from ..errors import ChatError, Internal, NotFound, RateLimited
from ..ids import Key, RoomId, UserId, is_room_id
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
    """Carries commands out. ``unanswered`` counts those that wait at their rooms."""

    store: Store
    hub: Hub
    directory: UserDirectory | None
    rights: Rights
    canonical: Callable[[UserId], UserId | None] | None
    new_id: Callable[[], str]
    unanswered: InFlight
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
        answer: Callable[[A | ChatError], None],
        socket: LiveSocket | None = None,
    ) -> None:
        """Queue a command at its room; ``answer`` is called once, when it is carried out or refused."""
        key = command.key or self.new_id()
        room = command.room_id(user, key)
        limits = self.limits
        if limits and (refusal := limits.refusal(user, command)):
            self.refuse(room, user, refusal, answer, socket)
            return
        epoch = self.store.epoch

        def finish(outcome: Outcome) -> None:
            if limits and command.is_message and isinstance(outcome, RateLimited):
                limits.forget(user)
            answer(_answer_of(command, outcome, epoch))

        self._queue(room, user, key, command, finish, socket, limited=limits is not None and command.is_message)

    def refuse(
        self,
        room: RoomId,
        user: UserId,
        error: ChatError,
        answer: Callable[[ChatError], None],
        socket: LiveSocket | None,
    ) -> None:
        """Answer with a refusal, after the commands that the socket sent to ``room`` before it.

        Where there are none it is answered at once: a client that is refused again and again costs the room nothing.
        """
        if socket is None or not self.hub.has_queued(room, socket):
            answer(error)
            return

        def finish(outcome: Outcome) -> None:
            answer(outcome if isinstance(outcome, ChatError) else error)

        self._queue(room, user, self.new_id(), error, finish, socket)

    def _queue(
        self,
        room: RoomId,
        user: UserId,
        key: Key,
        command: RoomCommand[Any] | ChatError,
        finish: Callable[[Outcome], None],
        socket: LiveSocket | None,
        *,
        limited: bool = False,
    ) -> None:
        if not is_room_id(room):
            finish(command if isinstance(command, ChatError) else NotFound())
            return

        def answer(outcome: Outcome) -> None:
            self.unanswered.done()
            finish(outcome)

        self.unanswered.add()
        deadline = current_time() + COMMAND_S
        self.hub.submit(
            room,
            PendingCommand(
                user=user, key=key, command=command, answer=answer, deadline=deadline, socket=socket, limited=limited
            ),
        )

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


def _answer_of(command: RoomCommand[A], outcome: Outcome, epoch: str) -> A | ChatError:
    if isinstance(outcome, ChatError):
        return outcome
    try:
        if outcome.entry is None:
            return command.unchanged()
        return command.answer(outcome.entry, duplicate=outcome.duplicate, epoch=epoch)
    except Exception:
        log.exception("the answer of %s could not be made", command.name)
        return Internal()
