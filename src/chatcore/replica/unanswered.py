"""The commands of a user that have no answer yet."""

from attrs import define, field

from ..ids import RoomId, UserId, private_room_id
from .effects import Effects, Object, SendCommand, Settled


@define
class _Command:
    """A command without an answer.

    Attributes:
        room: the room in which the order of commands matters; None for a command of no room.
        sent: whether the command was sent on the present connection.
        failed: whether its last answer was a temporary failure and the time to repeat it has not come.
    """

    event: str
    data: Object
    room: RoomId | None
    sent: bool = False
    failed: bool = False

    @property
    def repeatable(self) -> bool:
        return "key" in self.data


@define(eq=False)
class UnansweredCommands:
    """Sends commands in order. Repeats those with a key until they have an answer that is not temporary."""

    _user: UserId
    _commands: dict[int, _Command] = field(factory=dict, init=False)

    def __contains__(self, number: int) -> bool:
        return number in self._commands

    def add(self, number: int, event: str, data: Object) -> None:
        self._commands[number] = _Command(event, data, self._room(data))

    def due(self) -> Effects:
        """Return the commands that may be sent now, in order.

        A command to a room is held back while an earlier command to that room waits to be repeated.
        """
        due: Effects = []
        held_rooms: set[RoomId | None] = set()
        for number, command in self._commands.items():
            if command.failed or (command.room and command.room in held_rooms):
                held_rooms.add(command.room)
            elif not command.sent:
                command.sent = True
                due.append(SendCommand(number, command.event, command.data))
        return due

    def answered(self, number: int, answer: Object) -> Settled | None:
        """Take the answer to a command. Returns None if the command will be repeated."""
        command = self._commands[number]
        if not answer["ok"] and answer["error"]["temporary"] and command.repeatable:
            command.sent, command.failed = False, True
            return None
        del self._commands[number]
        return Settled(number, answer)

    def retry(self) -> None:
        """Let `due` return the commands that failed temporarily."""
        for command in self._commands.values():
            command.failed = False

    def disconnected(self) -> Effects:
        """Settle the commands that were sent and cannot be repeated; the others are due again."""
        lost = [number for number, command in self._commands.items() if command.sent and not command.repeatable]
        for number in lost:
            del self._commands[number]
        for command in self._commands.values():
            command.sent = command.failed = False
        return [Settled(number, None) for number in lost]

    def _room(self, data: Object) -> RoomId | None:
        match data:
            case {"room": str(room)}:
                return room
            case {"to": str(user)}:
                return private_room_id(self._user, user)
            case _:
                return None
