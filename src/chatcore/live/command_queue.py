"""The queue of a room's pending commands."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from attrs import define, evolve

from ..domain.decider import AppendCommand, Facts
from ..domain.entries import Entry
from ..domain.idempotency import CommandDone, Outcome, outcome_of_used_key
from ..errors import ChatError, Unavailable
from ..ids import Key, Seq, UserId
from .in_flight import InFlight
from .live_sockets import LiveSocket


@define(eq=False, kw_only=True)
class PendingCommand:
    """A command that is queued at its room and not answered.

    Attributes:
        command: an error if the command's fields or a limit refused it. The error is the answer, in the command's turn.
        reply: called once, with the outcome.
        deadline: time on the event loop's clock at which the command fails with `Unavailable`.
        in_flight: counts the command until it is answered.
        refusal: the answer in place of a new entry, if the host refused the command.
        trusted: whether the host carries out the command past the table of rights.
        socket: the socket that sent the command. Its answers keep their order. None for a caller of `Chat.execute`.
        limited: whether the room's limit still has to count the command.
        target: the seq of the message that the command is about, if any.
        tried_above: an entry above this seq may come from this command, because an append above it had an unknown
            outcome. An entry at or below it comes from an earlier attempt. None if no append had an unknown outcome. A
            later append may be at a lower seq, after earlier commands of its batch have been answered.
    """

    user: UserId
    key: Key
    command: AppendCommand | ChatError
    reply: Callable[[Outcome], None]
    deadline: float
    in_flight: InFlight
    refusal: ChatError | None = None
    trusted: bool = False
    socket: LiveSocket | None = None
    uncounted: bool = False
    target: Seq | None = None
    facts: Facts | None = None
    unsure_above: Seq | None = None
    _unsure_before: Seq | None = None

    def tried_at(self, seq: Seq) -> None:
        """Note that an append at ``seq`` begins, whose outcome may stay unknown."""
        self._unsure_before = self.unsure_above
        if self.unsure_above is None or seq <= self.unsure_above:
            self.unsure_above = seq - 1

    def not_tried(self) -> None:
        """Take the last `tried_at` back: that append did not write the command's entry."""
        self.unsure_above = self._unsure_before

    def answer(self, outcome: Outcome) -> None:
        """End the command; called once."""
        self.in_flight.done()
        self.reply(outcome)


class CommandQueue:
    """A room's pending commands: first in, first out. An entry of the log may answer a command out of turn."""

    __slots__ = ("_by_key", "_by_socket", "_pending")

    def __init__(self) -> None:
        self._pending: OrderedDict[PendingCommand, None] = OrderedDict()
        self._by_key: dict[tuple[UserId, Key], list[PendingCommand]] = {}
        self._by_socket: dict[LiveSocket, dict[PendingCommand, None]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, pending: PendingCommand) -> bool:
        return pending in self._pending

    def all(self) -> Sequence[PendingCommand]:
        """Return a copy of the queue: a reply may queue or answer commands."""
        return list(self._pending)

    def first(self) -> PendingCommand | None:
        """Return the first command, or None if the queue is empty."""
        return next(iter(self._pending), None)

    def append(self, pending: PendingCommand) -> int:
        """Queue a command. Returns how many commands are pending then."""
        self._pending[pending] = None
        self._by_key.setdefault((pending.user, pending.key), []).append(pending)
        if pending.socket is not None:
            self._by_socket.setdefault(pending.socket, {})[pending] = None
        return len(self._pending)

    def has_from(self, socket: LiveSocket) -> bool:
        """Return whether a command of ``socket`` is pending."""
        return socket in self._by_socket

    def finish(self, pending: PendingCommand, outcome: Outcome) -> None:
        """Answer a command. A temporary error also answers later commands of its socket, which keeps their order."""
        socket = pending.socket
        self._answer(pending, outcome)
        if isinstance(outcome, ChatError) and outcome.temporary and socket is not None:
            for later in tuple(self._by_socket.get(socket, ())):
                self._answer(later, outcome)

    def expire(self, now: float) -> float | None:
        """Fail expired commands, and later commands of their sockets, so that these keep their order.

        Returns the first deadline of the commands that are left, or None if there are none.
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
        """Drop the message at ``target`` from the facts of commands that read it before ``changed_at``."""
        for pending in self._pending:
            facts = pending.facts
            if facts and facts.target and facts.target.seq == target and (facts.as_of or 0) < changed_at:
                pending.facts = evolve(facts, target=None, as_of=None)

    def finish_by_key(self, entry: Entry) -> None:
        """Answer the commands whose key ``entry`` uses, except commands that come after others of their socket.

        A command with the same key and other content stays pending. The entry may have been read before a deletion
        erased its digest, so the store is asked again when the command is decided.
        """
        for pending in tuple(self._by_key.get((entry.author, entry.key), ())):
            if pending not in self._pending or isinstance(pending.command, ChatError):
                continue
            if pending.socket is not None and next(iter(self._by_socket[pending.socket])) is not pending:
                continue
            outcome = outcome_of_used_key(pending.command, entry, pending.unsure_above)
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
