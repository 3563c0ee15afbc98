"""The commands of a user that have no answer yet."""

from attrs import define, field

from ..ids import RoomId, UserId, private_room_id
from .effects import Ask, Effects, Object, Settled


@define
class _Command:
    """``place`` is the room in which its order matters, None for nowhere.

    ``failed``: its last answer was a temporary failure, and the time to repeat it has not come.
    """

    event: str
    data: Object
    place: RoomId | None
    sent: bool = False
    failed: bool = False

    @property
    def repeatable(self) -> bool:
        return "key" in self.data


@define(eq=False)
class Outbox:
    """Sends commands in order, and those with a key again until they have an answer that is not temporary."""

    _user: UserId
    _commands: dict[int, _Command] = field(factory=dict, init=False)

    def __contains__(self, number: int) -> bool:
        return number in self._commands

    def add(self, number: int, event: str, data: Object) -> None:
        self._commands[number] = _Command(event, data, self._place(data))

    def due(self) -> Effects:
        """The commands that may go out now, in order: none to a room where one before it waits to be repeated."""
        due: Effects = []
        held: set[RoomId | None] = set()
        for number, command in self._commands.items():
            if command.failed or (command.place and command.place in held):
                held.add(command.place)
            elif not command.sent:
                command.sent = True
                due.append(Ask(number, command.event, command.data))
        return due

    def answered(self, number: int, answer: Object) -> Settled | None:
        """The answer to one of the commands; None where it is to be repeated."""
        command = self._commands[number]
        if not answer["ok"] and answer["error"]["temporary"] and command.repeatable:
            command.sent, command.failed = False, True
            return None
        del self._commands[number]
        return Settled(number, answer)

    def repeat(self) -> None:
        """The time has come to repeat what failed."""
        for command in self._commands.values():
            command.failed = False

    def broken(self) -> Effects:
        """No answer will come any more to what was sent."""
        lost = [number for number, command in self._commands.items() if command.sent and not command.repeatable]
        for number in lost:
            del self._commands[number]
        for command in self._commands.values():
            command.sent = command.failed = False
        return [Settled(number, None) for number in lost]

    def _place(self, data: Object) -> RoomId | None:
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)}:
                return private_room_id(self._user, user)
            case _:
                return None
