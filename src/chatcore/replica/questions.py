"""What a client asks by itself: one question at a time, and again after a temporary failure."""

from collections.abc import Callable

from attrs import define, field

from .backoff import Backoff
from .effects import Effects, Object, SendCommand
from .rooms import ReplicaQuery, Rooms


@define(eq=False)
class Questions:
    """Asks what a client's rooms need to know.

    The server answers the questions of a socket one after another, and commands behind a question wait for its answer.
    """

    _rooms: Rooms
    _asked: tuple[int, ReplicaQuery] | None = field(default=None, init=False)
    """The question without an answer, and its number."""
    _backoff: Backoff = field(factory=Backoff, init=False)
    _waits: bool = field(default=False, init=False)

    def __contains__(self, number: int) -> bool:
        return self._asked is not None and self._asked[0] == number

    def due(self, number: Callable[[], int]) -> list[SendCommand]:
        """Return the next question with a number, if the one before is answered."""
        query = None if self._asked or self._waits else self._rooms.next_query()
        if query is None:
            return []
        self._asked = number(), query
        return [SendCommand(self._asked[0], query.event, query.data)]

    def answered(self, answer: Object) -> tuple[Effects, int | None]:
        """Take the answer to the question.

        Returns:
            What the client has learned, and the milliseconds until `resume` if the question failed temporarily.
        """
        assert self._asked
        (_, query), self._asked = self._asked, None
        if not answer["ok"] and answer["error"]["temporary"]:
            self._waits = True
            return [], self._backoff.pause_ms(answer["error"])
        self._backoff.reset()
        if answer["ok"]:
            return query.on_answer(answer), None
        query.on_refusal()
        return [], None

    def resume(self) -> None:
        """Ask again, after a pause."""
        self._waits = False

    def disconnected(self) -> None:
        self._asked, self._waits = None, False
        self._backoff.reset()
