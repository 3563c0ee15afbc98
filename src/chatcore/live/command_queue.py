"""The commands that are queued at a room, in the order in which they came."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import define, evolve, frozen

from ..domain.decider import AppendCommand, Facts
from ..domain.entries import Entry
from ..errors import ChatError, KeyReused, Unavailable
from ..ids import Key, Seq, UserId
from .in_flight import InFlight
from .live_sockets import LiveSocket


@frozen
class CommandDone:
    """A command that was carried out.

    Attributes:
        entry: the command's entry; None where the command changed nothing.
        duplicate: whether an earlier attempt wrote the entry.
    """

    entry: Entry | None
    duplicate: bool = False


Outcome: TypeAlias = CommandDone | ChatError


@define(eq=False, kw_only=True)
class PendingCommand:
    """A command that is queued at its room and not answered.

    Attributes:
        command: a refusal where the command's own fields or a limit decided it; the refusal keeps the command's place.
        reply: takes the outcome, once.
        deadline: time on the event loop's clock at which the command fails with `Unavailable`.
        in_flight: counts the command until it is answered.
        socket: answers of one socket keep their order; None for a caller of `Chat.execute`.
        limited: whether the limit of the room has still to count the command.
        target: the seq of the message that the command is about, if any.
        tried_above: the command's entry was appended with an unknown outcome at the next seq or a higher one, and at
            none below: an entry above may be the command's own. A later attempt may be at a lower seq, when the
            commands before it in its batch have been answered.
    """

    user: UserId
    key: Key
    command: AppendCommand | ChatError
    reply: Callable[[Outcome], None]
    deadline: float
    in_flight: InFlight
    socket: LiveSocket | None = None
    limited: bool = False
    target: Seq | None = None
    facts: Facts | None = None
    tried_above: Seq | None = None

    def answer(self, outcome: Outcome) -> None:
        """End the command; called once."""
        self.in_flight.done()
        self.reply(outcome)


class CommandQueue:
    """A room's pending commands: first in, first out, but an entry of the log may answer a command out of turn."""

    def __init__(self) -> None:
        self._pending: OrderedDict[PendingCommand, None] = OrderedDict()
        self._by_key: dict[tuple[UserId, Key], list[PendingCommand]] = {}
        self._by_socket: dict[LiveSocket, dict[PendingCommand, None]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, pending: PendingCommand) -> bool:
        return pending in self._pending

    def all(self) -> Sequence[PendingCommand]:
        """A copy: a reply may queue or answer commands."""
        return list(self._pending)

    def first(self) -> PendingCommand | None:
        return next(iter(self._pending), None)

    def append(self, pending: PendingCommand) -> int:
        """Returns how many commands are pending now."""
        self._pending[pending] = None
        self._by_key.setdefault((pending.user, pending.key), []).append(pending)
        if pending.socket is not None:
            self._by_socket.setdefault(pending.socket, {})[pending] = None
        return len(self._pending)

    def has_of(self, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is pending."""
        return socket in self._by_socket

    def finish(self, pending: PendingCommand, outcome: Outcome) -> None:
        """Answer a command. A temporary failure takes along the later ones of its socket, so that order is kept."""
        socket = pending.socket
        self._answer(pending, outcome)
        if isinstance(outcome, ChatError) and outcome.temporary and socket is not None:
            for later in tuple(self._by_socket.get(socket, ())):
                self._answer(later, outcome)

    def expire(self, now: float) -> float | None:
        """Fail the commands whose deadline has passed, each with the later ones of its socket, so that order is kept.

        Returns the first deadline of those that are left, None where there are none.
        """
        first = self.first()
        if first is None or first.deadline > now:
            return first.deadline if first else None
        failed: set[LiveSocket] = set()
        for pending in self.all():
            if pending.deadline <= now or pending.socket in failed:
                self._answer(pending, Unavailable())
                if pending.socket is not None:
                    failed.add(pending.socket)
        first = self.first()
        return first.deadline if first else None

    def fail(self, error: ChatError) -> None:
        """Answer all commands with ``error``."""
        for pending in self.all():
            self._answer(pending, error)

    def forget(self, target: Seq, changed_at: Seq) -> None:
        """Drop what commands know of the message at ``target``, unless they read it at ``changed_at`` or later."""
        for pending in self._pending:
            facts = pending.facts
            if facts and facts.target and facts.target.seq == target and (facts.as_of or 0) < changed_at:
                pending.facts = evolve(facts, target=None, as_of=None)

    def finish_from(self, entry: Entry) -> None:
        """Answer the commands that ``entry`` carries out, but never one before an earlier one of its socket.

        A command of the entry's key with another content stays: the entry may have been read before a deletion erased
        the digest, and the store is asked for it when the command is decided.
        """
        for pending in tuple(self._by_key.get((entry.author, entry.key), ())):
            if pending not in self._pending or isinstance(pending.command, ChatError):
                continue
            if pending.socket is not None and next(iter(self._by_socket[pending.socket])) is not pending:
                continue
            outcome = outcome_of(pending, pending.command, entry)
            if isinstance(outcome, CommandDone):
                self._answer(pending, outcome)

    def _answer(self, pending: PendingCommand, outcome: Outcome) -> None:
        if pending not in self._pending:
            return
        del self._pending[pending]
        key, socket = (pending.user, pending.key), pending.socket
        if len(self._by_key[key]) == 1:
            del self._by_key[key]
        else:
            self._by_key[key].remove(pending)
        if socket is not None:
            del self._by_socket[socket][pending]
            if not self._by_socket[socket]:
                del self._by_socket[socket]
        pending.answer(outcome)


def outcome_of(pending: PendingCommand, command: AppendCommand, entry: Entry) -> Outcome:
    """Return the result of a command whose key ``entry`` already uses.

    A redacted entry has no digest and matches any content.
    """
    if entry.digest is not None and entry.digest != command.digest:
        return KeyReused()
    own = pending.tried_above is not None and entry.seq > pending.tried_above
    return CommandDone(entry, duplicate=not own)
