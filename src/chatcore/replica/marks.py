"""The read marker that a client raises in one room."""

from attrs import define, field

from ..ids import Seq
from .backoff import Backoff
from .effects import Object


@define(eq=False)
class ReadMark:
    """Sends the highest position only, one command at a time, until it is answered."""

    wanted: Seq = 0
    """The highest position that the server has not confirmed; 0 for none."""
    _sent: Seq = field(default=0, init=False)
    """The position of the command without an answer; 0 for none."""
    _backoff: Backoff = field(factory=Backoff, init=False)
    _waits: bool = field(default=False, init=False)
    """Whether the time to repeat a temporary failure has not come."""

    def due(self) -> Seq | None:
        """Return the position to send now, as of now sent."""
        if not self.wanted or self._sent or self._waits:
            return None
        self._sent = self.wanted
        return self._sent

    def answered(self) -> None:
        """End the command on its way: its position is confirmed, or refused for good."""
        if self.wanted == self._sent:
            self.wanted = 0
        self._sent = 0
        self._backoff.reset()

    def failed(self, error: Object) -> int:
        """Wait, after a temporary failure, for the returned number of milliseconds."""
        self._sent, self._waits = 0, True
        return self._backoff.pause_ms(error)

    def resume(self) -> None:
        """Send again, after a pause or on a new connection."""
        self._waits = False

    def disconnected(self) -> None:
        self._sent, self._waits = 0, False
        self._backoff.reset()
