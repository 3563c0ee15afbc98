"""Queues commands that append at their rooms, and runs commands that read."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from attrs import evolve, frozen

from ..domain.idempotency import Outcome
from ..domain.permissions import Rights
from ..errors import ChatError, Internal, NotFound, RateLimited
from ..ids import RoomId, UserId
from ..live.command_queue import PendingCommand
from ..live.event_loop import current_time
from ..live.hub import Hub
from ..live.in_flight import InFlight
from ..live.live_sockets import LiveSocket
from ..ports.store import Store
from ..ports.user_directory import UserDirectory, UserSearch
from .command import Command, Context, ReadingCommand, RoomCommand
from .gate import HostChecks, Via
from .rate_limits import CommandLimits

COMMAND_S = 5
"""Seconds until a queued command fails with `unavailable`."""

A = TypeVar("A")
log: Final = logging.getLogger(__name__)


@frozen
class Checked:
    """The result of asking the limits and the host about a command before it is queued.

    Attributes:
        deadline: the time at which the command fails.
        refusal: the host's answer in place of a new entry.
    """

    deadline: float
    refusal: ChatError | None


@frozen(kw_only=True)
class CommandDispatcher:
    """Queues or runs commands. `Chat.execute` and `Socket.receive` choose which.

    Attributes:
        canonical: returns the canonical spelling of a user id, or None for an id that no user can have; see `Chat`.
        in_flight: counts all pending commands of the Chat.
        host_checks: ask the host about commands before they are queued.
        limits: None admits every command.
    """

    store: Store
    hub: Hub
    directory: UserDirectory | None
    people: UserSearch | None
    rights: Rights
    canonical: Callable[[UserId], UserId | None] | None
    new_id: Callable[[], str]
    in_flight: InFlight
    host_checks: HostChecks
    limits: CommandLimits | None = None

    def addressed(self, command: Command[A]) -> Command[A]:
        """Return the command with its user ids in their canonical spelling.

        Raises `NotFound` for an id that no user can have, and `Internal` if the host's ``canonical`` fails.
        """
        if self.canonical is None:
            return command
        named = {name: getattr(command, name) for name in command.user_fields}
        users = {name: self._canonical_users(value, command) for name, value in named.items() if value is not None}
        return evolve(command, **users) if users else command

    async def read(self, user: UserId, command: ReadingCommand[A], socket: LiveSocket | None) -> A:
        """Return the answer of a reading command. Raises `ChatError`, and every exception of the handler."""
        return await command.handle(
            Context(
                user=user,
                store=self.store,
                hub=self.hub,
                directory=self.directory,
                people=self.people,
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
        *,
        checked: Checked | None = None,
        trusted: bool = False,
    ) -> None:
        """Queue a command at its room. ``reply`` is called once, with the answer or the error.

        Args:
            checked: the result of asking limits and host; None to ask the limits now.
            trusted: whether the command skips the limits and the table of rights.
        """
        key = command.key or self.new_id()
        room = command.room_id(user, key)
        is_limited = self.limits is not None and command.is_message and not trusted
        if self.limits and not trusted and not checked and (limit := self.limits.refusal(user, command)):
            self.refuse(room, user, limit, reply, socket)
            return
        self.hub.submit(
            room,
            PendingCommand(
                user=user,
                key=key,
                command=command,
                target=command.target,
                reply=partial(self._answer, user, command, reply),
                deadline=checked.deadline if checked else current_time() + COMMAND_S,
                in_flight=socket.in_flight if socket else self.in_flight,
                refusal=checked.refusal if checked else None,
                trusted=trusted,
                socket=socket,
                uncounted=is_limited,
            ),
        )

    async def submit_checked(
        self,
        user: UserId,
        command: RoomCommand[A],
        reply: Callable[[A | ChatError], None],
        via: Via | None,
        socket: LiveSocket | None = None,
    ) -> None:
        """Ask the limits and then the host about a command, and queue it; see `submit`.

        The host's time counts for the command's deadline.
        """
        deadline = current_time() + COMMAND_S
        if self.limits and (limit := self.limits.refusal(user, command)):
            self.refuse(command.room_id(user, command.key or ""), user, limit, reply, socket)
            return
        command, refusal = await self.host_checks.check(user, command, via)
        self.submit(user, command, reply, socket, checked=Checked(deadline, refusal))

    def refuse(
        self,
        room: RoomId,
        user: UserId,
        error: ChatError,
        reply: Callable[[ChatError], None],
        socket: LiveSocket | None,
    ) -> None:
        """Reply with an error, after the replies to the earlier commands of ``socket`` at ``room``.

        If there are none, the reply comes at once. So a client whose commands are all refused costs the room nothing.
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
                self.limits.give_back(user)
            reply(outcome)
            return
        answer: A | ChatError
        try:
            if outcome.entry is None:
                answer = command.unchanged()
            else:
                answer = command.answer(outcome.entry, duplicate=outcome.duplicate, epoch=self.store.epoch)
        except Exception:
            log.exception("answer failed: command=%s", command.name)
            answer = Internal()
        reply(answer)

    def canonical_user(self, user: UserId) -> UserId | None:
        """Return the canonical spelling of a user id; None for an id that no user can have.

        Raises `Internal` if the host's ``canonical`` fails; the exception is logged.
        """
        try:
            return self.canonical(user) if self.canonical else user
        except Exception:
            log.exception("canonical failed")
            raise Internal from None

    def _canonical_users(self, value: UserId | Sequence[UserId], command: Command[object]) -> UserId | Sequence[UserId]:
        if isinstance(value, str):
            return self._canonical_user(value)
        if command.impossible_users == "kept":
            return [self.canonical_user(user) or user for user in value]
        if command.impossible_users == "skipped":
            return [canonical for user in value if (canonical := self.canonical_user(user)) is not None]
        return [self._canonical_user(user) for user in value]

    def _canonical_user(self, user: UserId) -> UserId:
        canonical = self.canonical_user(user)
        if canonical is None:
            raise NotFound
        return canonical
