"""The commands that wait in a room, in the order in which they came."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from ..domain.decider import AppendCommand, Facts
from ..domain.entries import Entry
from ..errors import ChatError, KeyReused, Unavailable
from ..ids import Key, Seq, UserId


@frozen
class CommandDone:
    """A command that was carried out: its entry, or None where nothing changed, and whether an earlier attempt did."""

    entry: Entry | None
    duplicate: bool = False


Outcome: TypeAlias = CommandDone | ChatError


@define(eq=False, kw_only=True)
class PendingCommand:
    """One command at its room.

    ``command`` is a refusal where the command alone decided it (a field out of bounds): it only keeps its place.
    ``socket`` groups commands whose answers keep their order; None for a caller of `Chat.execute`. ``deadline`` is
    on the event loop's clock. ``limited`` is True until the limit of the room has counted it. An entry above
    ``tried_above`` may be this command's own: the next seq is the lowest at which its entry was appended, with an
    unknown outcome. A later try may be at a lower seq, when the commands before it in its batch have been answered.
    """

    user: UserId
    key: Key
    command: AppendCommand | ChatError
    answer: Callable[[Outcome], None]
    deadline: float
    socket: object | None = None
    limited: bool = False
    facts: Facts | None = None
    tried_above: Seq | None = None
    answered: bool = field(default=False, init=False)


class CommandQueue:
    """First in, first out; a command may also be answered out of turn, and is skipped from then on."""

    def __init__(self) -> None:
        self._items: deque[PendingCommand] = deque()
        self._keys: dict[tuple[UserId, Key], int] = {}
        """How many that are not answered have a key."""
        self._sockets: dict[object, int] = {}
        """How many that are not answered came from a socket."""

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __iter__(self) -> Iterator[PendingCommand]:
        self.first()  # the answered ones at the front are gone with it: nobody goes over them again and again
        # A copy: an answer may lead to another command being queued.
        return (item for item in tuple(self._items) if not item.answered)

    def append(self, waiting: PendingCommand) -> None:
        self._items.append(waiting)
        name = waiting.user, waiting.key
        self._keys[name] = self._keys.get(name, 0) + 1
        self._sockets[waiting.socket] = self._sockets.get(waiting.socket, 0) + 1

    def has_of(self, socket: object) -> bool:
        """Return whether a command of ``socket`` is not answered yet."""
        return socket in self._sockets

    def first(self) -> PendingCommand | None:
        while self._items and self._items[0].answered:
            self._items.popleft()
        return self._items[0] if self._items else None

    def finish(self, waiting: PendingCommand, outcome: Outcome) -> None:
        """Answer a command. A temporary failure takes along the later ones of its socket, so that order is kept."""
        self._answer(waiting, outcome)
        if isinstance(outcome, ChatError) and outcome.temporary and waiting.socket is not None:
            for item in self:
                if item.socket is waiting.socket:
                    self._answer(item, outcome)

    def expire(self, now: float) -> float | None:
        """Fail the commands whose deadline has passed, each with the later ones of its socket, so that order is kept.

        Returns the first deadline of those that are left, None where there are none.
        """
        first = self.first()
        if first is None or first.deadline > now:
            return first.deadline if first else None
        failed: set[object] = set()
        for item in self:
            if item.deadline <= now or item.socket in failed:
                self._answer(item, Unavailable())
                if item.socket is not None:
                    failed.add(item.socket)
        first = self.first()
        return first.deadline if first else None

    def fail(self, error: ChatError) -> None:
        """Answer all commands with ``error``."""
        for item in self:
            self._answer(item, error)

    def forget(self, target: Seq, changed_at: Seq) -> None:
        """What commands know of the message at ``target`` does not hold from ``changed_at`` on, unless they read it
        there or later."""
        for item in self._items:
            facts = item.facts
            if facts and facts.target and facts.target.seq == target and (facts.as_of or 0) < changed_at:
                item.facts = evolve(facts, target=None, as_of=None)

    def finish_from(self, entry: Entry) -> None:
        """Answer the commands that ``entry`` carries out, but never one before an earlier one of its socket.

        One of its key with another content stays: ``entry`` may have been read before a deletion erased the digest,
        and the store is asked for it when that command is decided.
        """
        if (entry.author, entry.key) not in self._keys:
            return
        earlier: set[object] = set()
        for item in self:
            outcome = None
            if not isinstance(item.command, ChatError) and (item.user, item.key) == (entry.author, entry.key):
                outcome = outcome_of(item, item.command, entry)
            if not isinstance(outcome, CommandDone):
                earlier.add(item.socket)
            elif item.socket is None or item.socket not in earlier:
                self.finish(item, outcome)
                if (entry.author, entry.key) not in self._keys:
                    return

    def _answer(self, waiting: PendingCommand, outcome: Outcome) -> None:
        waiting.answered = True
        name, socket = (waiting.user, waiting.key), waiting.socket
        self._keys[name] -= 1
        if not self._keys[name]:
            del self._keys[name]
        self._sockets[socket] -= 1
        if not self._sockets[socket]:
            del self._sockets[socket]
        waiting.answer(outcome)


def outcome_of(waiting: PendingCommand, command: AppendCommand, entry: Entry) -> Outcome:
    """Return the result of a command whose key ``entry`` already uses.

    A redacted entry has no digest and matches any content.
    """
    if entry.digest is not None and entry.digest != command.digest:
        return KeyReused()
    own = waiting.tried_above is not None and entry.seq > waiting.tried_above
    return CommandDone(entry, duplicate=not own)
