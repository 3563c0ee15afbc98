"""A client on a line that breaks: what goes out when, and whom an answer is for."""

from collections.abc import Iterable, Mapping

from attrs import Factory, define, field
from attrs.validators import and_, ge, le

from ..ids import RoomId, UserId
from .cursor import Cursor
from .effects import Ask, Effects, Object, Wait
from .outbox import Outbox
from .rooms import PAGE_MAX, Read, Rooms

PAUSE_MS_MIN, PAUSE_MS_MAX = 100, 5_000


def _own(kept: Mapping[RoomId, Cursor]) -> dict[RoomId, Cursor]:
    return dict(kept)


@define(eq=False)
class Replica:
    """What one client of ``user`` knows; ``cursors`` is what it kept from an earlier life.

    ``page`` is how many entries it asks for at once, 1 to 200. One line at a time: `connected`, then what arrives on
    it in the order in which it arrives, then `disconnected`.
    """

    user: UserId
    cursors: dict[RoomId, Cursor] = field(factory=dict, converter=_own)
    page: int = field(default=100, validator=and_(ge(1), le(PAGE_MAX)))
    _rooms: Rooms = field(init=False, default=Factory(lambda self: Rooms(self.cursors, self.page), takes_self=True))
    _outbox: Outbox = field(init=False, default=Factory(lambda self: Outbox(self.user), takes_self=True))
    _online: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _pause_ms: int = field(default=PAUSE_MS_MIN, init=False)
    _numbers: int = field(default=0, init=False)
    _reading: tuple[int, Read] | None = field(default=None, init=False)

    # The line.

    def connected(self) -> Effects:
        """A new line is open; "commands may be sent from CONNECT on".

        "A client that comes back connects, calls `sync` with the last seq it has of each room, … and repeats
        unanswered commands with the same keys."
        """
        self._online, self._paused, self._pause_ms = True, False, PAUSE_MS_MIN
        return [*self._rooms.connected(), *self._ask(), *self._outbox.due()]

    def disconnected(self) -> Effects:
        """The line is gone: nothing more will arrive on it."""
        self._online, self._reading = False, None
        self._rooms.disconnected()
        return self._outbox.broken()

    def retry(self) -> Effects:
        """The time of a `Wait` is over."""
        self._paused = False
        self._outbox.repeat()
        return [*self._send_due(), *self._ask()]

    # What the user wants.

    def send(self, event: str, data: Object) -> tuple[int, Effects]:
        """A command of the user's: its number, which ends in one `Settled`, and what there is to do now.

        With a key it is repeated until it has an answer that is not temporary. Commands to one room go out in order:
        none overtakes one that waits to be repeated.
        """
        number = self._number()
        self._outbox.add(number, event, data)
        return number, self._send_due()

    def sync(self, rooms: Iterable[RoomId] = ()) -> Effects:
        """Ask again what was missed: in every room that is known, or only in ``rooms``, known or not."""
        self._rooms.doubt(list(rooms) or self.cursors)
        return self._ask()

    # What arrives.

    def pushed(self, event: str, body: Object) -> Effects:
        """A push. "Clients ignore kinds, fields, pushes … that they do not know"."""
        return [*self._rooms.pushed(event, body), *self._ask()]

    def answered(self, number: int, answer: Object) -> Effects:
        """The answer to an `Ask`. "Temporary: repeat with the same key"."""
        if self._reading and self._reading[0] == number:
            taken = self._read(self._reading[1], answer)
        elif number in self._outbox:
            taken = self._commanded(number, answer)
        else:
            taken = []
        return [*taken, *self._ask()]

    def _read(self, read: Read, answer: Object) -> Effects:
        self._reading = None
        if answer["ok"]:
            self._pause_ms = PAUSE_MS_MIN
            return read.take(answer)
        if answer["error"]["temporary"]:
            return self._pause(answer)
        read.refused()
        return []

    def _commanded(self, number: int, answer: Object) -> Effects:
        settled = self._outbox.answered(number, answer)
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
        return self._outbox.due() if self._online else []

    def _ask(self) -> Effects:
        """One question at a time, since the server answers them so and holds back what comes behind one."""
        if not self._online or self._paused or self._reading:
            return []
        read = self._rooms.due()
        if read is None:
            return []
        self._reading = self._number(), read
        return [Ask(self._reading[0], read.event, read.data)]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
