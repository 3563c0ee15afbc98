"""When a client says that its user types in one room."""

from attrs import define, field

REPEAT_MS = 3_000
""" "repeats it every 3 to 5 s while the user types"."""


@define(eq=False)
class OwnTyping:
    """Tells which calls are sent: `on` at most once in `REPEAT_MS`, `off` only after an `on`."""

    turn: int = field(default=0, init=False)
    """The number of the last `on` that was sent."""
    _is_on: bool = field(default=False, init=False)
    _rests: bool = field(default=False, init=False)
    """Whether the last `on` is less than `REPEAT_MS` ago."""

    def says(self, *, on: bool) -> bool:
        """Return whether to send it."""
        if not on:
            was_on, self._is_on = self._is_on, False
            return was_on
        if self._is_on and self._rests:
            return False
        self._is_on = self._rests = True
        self.turn += 1
        return True

    def rested(self, turn: int) -> None:
        """End the time in which the `on` of this number is not repeated."""
        if turn == self.turn:
            self._rests = False

    def end(self) -> None:
        """End typing without saying so: with a message, or with the connection."""
        self._is_on = self._rests = False
