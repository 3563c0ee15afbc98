"""A client on connections that break: what it sends, and how it takes pushes and answers."""

from collections.abc import Iterable, Mapping

from attrs import Factory, define, field
from attrs.validators import and_, ge, le

from ..ids import RoomId, UserId
from .cursor import RoomCursor
from .effects import Effects, Object, SendCommand, Wait
from .rooms import PAGE_MAX, ReplicaQuery, Rooms
from .unanswered import UnansweredCommands

PAUSE_MS_MIN, PAUSE_MS_MAX = 100, 5_000
"""Milliseconds of the first pause after a temporary failure, and of the longest one. Each pause doubles the last."""


def _copy(cursors: Mapping[RoomId, RoomCursor]) -> dict[RoomId, RoomCursor]:
    return dict(cursors)


@define(eq=False)
class Replica:
    """One client of ``user``: its rooms, and its commands without an answer.

    There is one connection at a time: call `connected`, then `pushed` and `answered` for what arrives on it, in the
    order of arrival, then `disconnected`.

    Args:
        user: the user's id.
        cursors: the cursors that the client kept from an earlier run.
        page: how many entries a `history` asks for, 1 to 200.
    """

    user: UserId
    cursors: dict[RoomId, RoomCursor] = field(factory=dict, converter=_copy)
    page: int = field(default=100, validator=and_(ge(1), le(PAGE_MAX)))
    _rooms: Rooms = field(init=False, default=Factory(lambda self: Rooms(self.cursors, self.page), takes_self=True))
    _unanswered: UnansweredCommands = field(
        init=False, default=Factory(lambda self: UnansweredCommands(self.user), takes_self=True)
    )
    _online: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _pause_ms: int = field(default=PAUSE_MS_MIN, init=False)
    _last_number: int = field(default=0, init=False)
    _query: tuple[int, ReplicaQuery] | None = field(default=None, init=False)
    """The query without an answer, and its number."""

    # The connection.

    def connected(self) -> Effects:
        """Begin a new connection; "commands may be sent from CONNECT on".

        "A client that comes back connects, calls `sync` with the last seq it has of each room, … and repeats
        unanswered commands with the same keys."
        """
        self._online, self._paused, self._pause_ms = True, False, PAUSE_MS_MIN
        return [*self._rooms.connected(), *self._ask(), *self._unanswered.due()]

    def disconnected(self) -> Effects:
        """End the connection: nothing more arrives on it."""
        self._online, self._query = False, None
        return [*self._rooms.disconnected(), *self._unanswered.disconnected()]

    def retry(self) -> Effects:
        """Send again what failed temporarily, after the time of a `Wait`."""
        self._paused = False
        self._unanswered.retry()
        return [*self._send_due(), *self._ask()]

    # What the user asks for.

    def send(self, event: str, data: Object) -> tuple[int, Effects]:
        """Send a command of the user.

        A command with a key is repeated until it has an answer that is not temporary. Commands to one room go out in
        order: none overtakes a command that waits to be repeated.

        Returns:
            The command's number, with which one `Settled` will come, and the effects to carry out now.
        """
        number = self._next_number()
        self._unanswered.add(number, event, data)
        return number, self._send_due()

    def sync(self, rooms: Iterable[RoomId] = ()) -> Effects:
        """Ask for what the client missed in ``rooms``, which may be unknown; without ``rooms``, in every known room."""
        self._rooms.mark_stale(list(rooms) or self.cursors)
        return self._ask()

    # What arrives.

    def pushed(self, event: str, body: Object) -> Effects:
        """Take a push. "Clients ignore kinds, fields, pushes … that they do not know"."""
        return [*self._rooms.pushed(event, body), *self._ask()]

    def answered(self, number: int, answer: Object) -> Effects:
        """Take the answer to an `SendCommand`. "Temporary: repeat with the same key"."""
        if self._query and self._query[0] == number:
            effects = self._query_answered(self._query[1], answer)
        elif number in self._unanswered:
            effects = self._command_answered(number, answer)
        else:
            effects = []
        return [*effects, *self._ask()]

    def _query_answered(self, query: ReplicaQuery, answer: Object) -> Effects:
        self._query = None
        if answer["ok"]:
            self._pause_ms = PAUSE_MS_MIN
            return query.on_answer(answer)
        if answer["error"]["temporary"]:
            return self._pause(answer)
        query.on_refusal()
        return []

    def _command_answered(self, number: int, answer: Object) -> Effects:
        settled = self._unanswered.answered(number, answer)
        if settled is None:
            return self._pause(answer)
        self._pause_ms = PAUSE_MS_MIN
        return [settled]

    def _pause(self, answer: Object) -> Effects:
        if self._paused:
            return []
        self._paused = True
        ms = max(self._pause_ms, answer["error"].get("retry_after_ms", 0))
        self._pause_ms = min(2 * self._pause_ms, PAUSE_MS_MAX)
        return [Wait(ms)]

    # What goes out.

    def _send_due(self) -> Effects:
        return self._unanswered.due() if self._online else []

    def _ask(self) -> Effects:
        """Send the next query, when the last one has its answer.

        The server answers the queries of a socket one after another, and commands behind a query wait for its answer.
        """
        if not self._online or self._paused or self._query:
            return []
        query = self._rooms.next_query()
        if query is None:
            return []
        number = self._next_number()
        self._query = number, query
        return [SendCommand(number, query.event, query.data)]

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number
