"""The commands of a client that have no answer yet. Those that append to one room go out one after another."""

import json
from collections.abc import Callable, Iterator

from attrs import define, field

from .backoff import Backoff
from .effects import Object, SendCommand

TOO_LARGE: Object = {
    "code": "too_large",
    "message": "The server closes a connection that brings a command of this size.",
    "temporary": False,
}
"""The error of a command that ended its connection with close code 1009."""
UNAVAILABLE: Object = {
    "code": "unavailable",
    "message": "The connection ended before the answer.",
    "temporary": True,
}
"""The error of a command without a key when its connection breaks."""


@define(eq=False)
class PendingCommand:
    """A command without an answer.

    Attributes:
        queue: the commands of one queue go out in order, each when the one before is answered. A command without a
            queue goes out at once and is not repeated.
        on_answer: takes the answer, or an answer with one of the errors above.
    """

    number: int
    event: str
    data: Object
    queue: str | None
    on_answer: Callable[[Object], None]
    sent: bool = False

    @property
    def size(self) -> int:
        """The bytes of the command's object."""
        return len(json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).encode())


@define(eq=False)
class _Queue:
    commands: dict[int, PendingCommand] = field(factory=dict)
    backoff: Backoff = field(factory=Backoff)
    waits: bool = False


@define(eq=False)
class CommandQueues:
    """Sends commands, and repeats those with a key until they have an answer that is not temporary."""

    _commands: dict[int, PendingCommand] = field(factory=dict, init=False)
    _queues: dict[str, _Queue] = field(factory=dict, init=False)
    _unqueued: dict[int, PendingCommand] = field(factory=dict, init=False)

    def __contains__(self, number: int) -> bool:
        return number in self._commands

    def add(self, command: PendingCommand) -> None:
        self._commands[command.number] = command
        if command.queue is None:
            self._unqueued[command.number] = command
        else:
            self._queues.setdefault(command.queue, _Queue()).commands[command.number] = command

    def due(self) -> list[SendCommand]:
        """Return the commands that may be sent now, as of now sent."""
        due = [command for command in self._candidates() if not command.sent]
        for command in due:
            command.sent = True
        return [SendCommand(command.number, command.event, command.data) for command in due]

    def _candidates(self) -> Iterator[PendingCommand]:
        for queue in self._queues.values():
            if not queue.waits:
                yield next(iter(queue.commands.values()))
        yield from self._unqueued.values()

    def answered(self, number: int, answer: Object) -> tuple[str, int] | None:
        """Take the answer to a command.

        Returns:
            The queue that waits, and for how many milliseconds, if the command will be repeated.
        """
        command = self._commands[number]
        queue = self._queues[command.queue] if command.queue is not None else None
        if command.queue is not None and queue and not answer["ok"] and answer["error"]["temporary"]:
            command.sent, queue.waits = False, True
            return command.queue, queue.backoff.pause_ms(answer["error"])
        if queue:
            queue.backoff.reset()
        self.remove(number)
        command.on_answer(answer)
        return None

    def remove(self, number: int) -> None:
        """Drop a command that needs no answer any more."""
        command = self._commands.pop(number, None)
        self._unqueued.pop(number, None)
        if command and command.queue is not None:
            del self._queues[command.queue].commands[number]
            if not self._queues[command.queue].commands:
                del self._queues[command.queue]

    def resume(self, name: str) -> None:
        """End the pause of a queue."""
        if name in self._queues:
            self._queues[name].waits = False

    def disconnected(self, *, too_large: bool) -> None:
        """End the connection: what was sent and has a queue is due again.

        Args:
            too_large: whether the size of a command ended it. The largest command without an answer then fails.
        """
        sent = [command for command in self._commands.values() if command.sent]
        if too_large and sent:
            self._fail(max(sent, key=lambda command: command.size), TOO_LARGE)
        for command in sent:
            command.sent = False
            if command.queue is None and command.number in self._commands:
                self._fail(command, UNAVAILABLE)
        for queue in self._queues.values():
            queue.waits, queue.backoff = False, Backoff()

    def give_up(self) -> None:
        """Fail all commands, because they are not of the present user."""
        for command in list(self._commands.values()):
            self._fail(command, UNAVAILABLE)

    def _fail(self, command: PendingCommand, error: Object) -> None:
        self.remove(command.number)
        command.on_answer({"ok": False, "error": error})
