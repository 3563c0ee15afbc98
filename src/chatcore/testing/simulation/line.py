"""The line between one client and one node: ordered, slow, and cut at any time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from math import inf
from typing import Any, TypeAlias

import anyio

from ...domain.entries import Entry
from ...ids import RoomId, UserId
from ...live.pushes import Ready
from ...ports.connection import Bye, Push
from ...protocol import Object, push_object
from .attempts import Attempt, Attempts
from .law import PushLaw
from .owners import Owner
from .world import World

Message: TypeAlias = tuple[Any, ...]
LASTS_S = (1, 15)


class Pipe:
    """One direction: what goes in comes out later, in order, until it is cut; what is inside then is lost."""

    def __init__(self, world: World, take: Callable[[Message], None]) -> None:
        self._world = world
        self._take = take
        self._inside: list[Message] = []
        self.cut = False

    def put(self, message: Message) -> None:
        if self.cut:
            return
        if not self._inside:
            self._world.later(self._world.delay(), self._come_out)
        self._inside.append(message)

    def lose(self) -> None:
        """What is inside never comes out."""
        if self._inside:
            self._inside = [("nothing",)]

    def _come_out(self) -> None:
        came, self._inside = self._inside, []
        for message in came:
            if not self.cut:
                self._take(message)


class Line:
    """A client's connection, as the node has it (`Connection`), and as the client has it (`ask`, and what it hears).

    Everything the node says goes through one pipe, answers and pushes alike, as over a websocket.
    """

    def __init__(
        self,
        world: World,
        attempts: Attempts,
        node: Owner,
        user: UserId,
        session: str,
        hear: Callable[["Line", Message], None],
        lasts_s: float | None = None,
    ) -> None:
        self.id = world.new_id()
        self.user = user
        self.session = session
        self.ready_at = inf
        self.raised = False
        """Whether a push of it has raised, by which it is cut."""
        self.lasts_s = world.random.uniform(*LASTS_S) if world.faults.happens("line: expires") else lasts_s
        """After how many seconds its access ends, if it does."""
        self.expires_at: datetime | None = None
        """When its access ends, by the node's clock, as far as it is known here."""
        self.bye: Bye | None = None
        self.ended = False
        self._world = world
        self._node = node
        self._attempts = attempts
        self._law = PushLaw(world, node, user, self.id)
        self._down = Pipe(world, partial(hear, self))
        self._up = Pipe(world, self._arrive)
        self._arrived: list[Message] = []
        self._changed = anyio.Event()
        self._unanswered: list[Attempt] = []

    def __repr__(self) -> str:
        return f"{self.user}'s line {self.id}"

    # The client's end.

    def ask(self, number: int, event: str, data: Object) -> None:
        self._up.put((number, event, data))

    def cut(self) -> None:
        """Nothing more gets through, in either direction."""
        self._down.cut = self._up.cut = True

    # The node's end.

    def send(self, push: Push) -> None:
        if self.bye or self.ended:
            return
        if self.raised:
            self._world.fault(f"{self} is pushed {push.event} after it has raised")
        if self._world.faults.happens("line: raises"):
            self.raised = True
            raise self._world.injected(self._node)
        match push.body:
            case Entry() as entry:
                self._law.entry(entry)
                self._answered_before(entry)
            case Ready() as ready:
                self._law.ready(ready)
                self.ready_at = self._world.now
            case _:
                self._law.other(push)
        body = object_of(push)
        self._world.tell("%s (%s) is pushed %s %s", self.user, self.id, push.event, body)
        self._down.put(("push", push.event, body))

    def close(self, bye: Bye) -> None:
        if self.bye or self.ended:
            return
        self.bye = bye
        closable = {"kicked": self.id, "signed_out": self.session}.get(bye.code)
        if closable and (bye.code, closable) not in self._world.closable:
            self._world.fault(f"{self} is {bye.code}, without a call that closes it")
        self._world.counts[f"bye: {bye.code}"] += 1
        self._down.put(("push", "bye", push_object(bye)))
        self._down.put(("end",))
        self._changed.set()

    async def drained(self) -> None:
        if self._world.faults.happens("line: slow reader"):
            await anyio.sleep(self._world.random.uniform(0, 3))

    async def next(self) -> Message | None:
        """The next command; None when the line has been closed from here."""
        while not self._arrived:
            if self.bye:
                return None
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._arrived.pop(0)

    def begin(self, event: str, data: object, node: Owner) -> Attempt:
        attempt = self._attempts.begin(self.user, event, data, node, over_socket=True)
        self._unanswered.append(attempt)
        return attempt

    def answer(self, number: int, attempt: Attempt, answer: Object) -> None:
        if self._node.dead:
            return  # a process that was killed sends nothing
        self._attempts.end(attempt, answer)
        self._in_order(attempt)
        later = self._unanswered[self._unanswered.index(attempt) + 1 :]
        self._unanswered.remove(attempt)
        self._fail_alike(attempt, answer, later)
        if attempt.event == "auth.refresh":
            self.expires_at = None
        if attempt.event == "sync" and answer["ok"]:
            self._law.synced(answer)
        if not (self.bye or self.ended):
            self._down.put(("answer", number, answer))

    def end(self, *, abruptly: bool = False) -> None:
        """The node has let go of this line; ``abruptly``, and what is on its way is lost."""
        if abruptly:
            self._down.lose()
        if not self.ended and (abruptly or self.bye is None):
            self._down.put(("end",))
        self.ended = True

    @property
    def open(self) -> bool:
        """Whether the node serves this line."""
        return not (self.bye or self.ended)

    def unsaid(self) -> set[RoomId]:
        """The rooms that ended for its user, which was not told."""
        return self._law.unsaid()

    def silent(self) -> list[Attempt]:
        """The commands that were never answered."""
        return self._unanswered

    def _arrive(self, message: Message) -> None:
        self._arrived.append(message)
        self._changed.set()

    def _in_order(self, attempt: Attempt) -> None:
        """ "Answers of one socket to one room in order." """
        if attempt.place is None:
            return
        if attempt.raised and not attempt.queued:
            self._world.excuse("internal at once: `canonical` raised, so that no room could be told")
            return
        first = next(one for one in self._unanswered if one.place == attempt.place)
        if first is not attempt:
            self._world.fault(f"answered before what was sent before it: {attempt}, before {first}")

    def _fail_alike(self, attempt: Attempt, answer: Object, later: Sequence[Attempt]) -> None:
        """ "Commands of the same socket to that room that were already received fail with the same code." """
        code = None if answer["ok"] else str(answer["error"]["code"])
        if attempt.doomed and code != attempt.doomed:
            self._world.fault(f"an earlier one failed with {attempt.doomed}, this did not: {attempt} -> {answer}")
        if attempt.place is None or answer["ok"] or not answer["error"]["temporary"]:
            return
        for one in later:
            if one.queued and one.place == attempt.place:
                one.doomed = one.doomed or code

    def _answered_before(self, entry: Entry) -> None:
        """ "To the sending socket a command's answer comes before the pushes that it causes" (unless tried twice)."""
        if entry.author != self.user:
            return
        tries = self._attempts.by_key.get((entry.author, entry.key), ())
        due = [one for one in tries if one.answer is None and one in self._unanswered]
        if due and len(tries) > 1:
            self._world.excuse("an entry comes before the answer: another attempt may have written it")
        elif due:
            self._world.fault(f"entry {entry.room} {entry.seq} was pushed before its command was answered: {due[0]}")


_last: list[tuple[Push, Object]] = []


def object_of(push: Push) -> Object:
    """The object of a push, made once for all who get it one after the other."""
    if not (_last and _last[0][0] is push):
        _last[:] = [(push, push_object(push.body))]
    return _last[0][1]
