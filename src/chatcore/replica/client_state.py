"""What a client knows and does, as pure code: ``docs/clients.md`` without network, clock and store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from attrs import Factory, define, field

from ..ids import RoomId, Seq, UserId, private_room_id
from .backoff import Backoff
from .client_effects import Answered, Changed, ClientEffect, ClientEffects, Delivered, Drop, Failed, Keep, Shown, Wake
from .command_queues import CommandQueues, PendingCommand
from .conversation import Conversation
from .effects import Effects, Entries, Forget, Missed, Object, RoomFields, SendCommand, Settled, Typists, Wait
from .floors import OpenRooms
from .outgoing import Outgoing
from .questions import Questions
from .room_object import ASKS_FOR_ROOM
from .rooms import Rooms
from .typing import REPEAT_MS

PAGE = 100
"""How many entries one `history` asks for."""
KEPT_ENTRIES = 200
"""How many entries are kept of a room that is not open. When there are more, half of them are dropped."""
MESSAGE_TOO_BIG = 1009
"""The close code of RFC 6455, section 7.4.1."""


def _read_items(items: Iterable[Object]) -> dict[str, Outgoing]:
    return {message.key: message for message in map(Outgoing.from_kept, items)}


@define(eq=False)
class ClientState:
    """One client: its rooms, what it shows of them, and what it has not sent yet.

    Tell it what happens, and carry out the effects that each method returns, in their order. There is one connection at
    a time: `ready`, then `pushed` and `answered` in the order of arrival, then `broken`. A room is named by its id; the
    private room with a user has its id once the client's own user is known (`room_with`).

    Args:
        kept: the items of the store, in their order.
        kept_entries: how many entries to keep of a room that is not open.

    Attributes:
        user: the user of the last `ready`.
    """

    _kept: Iterable[Object] = field(default=(), alias="kept")
    _kept_entries: int = field(default=KEPT_ENTRIES, alias="kept_entries")
    user: UserId | None = field(default=None, init=False)
    presence: Mapping[UserId, Object] = field(factory=dict, init=False)
    _online: bool = field(default=False, init=False)
    _open: OpenRooms = field(factory=OpenRooms, init=False)
    _rooms: Rooms = field(init=False, default=Factory(lambda self: Rooms({}, PAGE, self._open), takes_self=True))
    _conversations: dict[RoomId, Conversation] = field(factory=dict, init=False)
    _outgoing: dict[str, Outgoing] = field(
        init=False, default=Factory(lambda self: _read_items(self._kept), takes_self=True)
    )
    """The messages that are not answered, or failed, by key, in the order of `send`."""
    _commands: CommandQueues = field(factory=CommandQueues, init=False)
    _questions: Questions = field(init=False, default=Factory(lambda self: Questions(self._rooms), takes_self=True))
    _marked: dict[RoomId, None] = field(factory=dict, init=False)
    """The rooms whose read marker is not confirmed."""
    _watch_backoff: Backoff = field(factory=Backoff, init=False)
    _watched: Sequence[UserId] = field(default=(), init=False)
    """The users whose presence the server pushes, or shall push again after a break."""
    _last_number: int = field(default=0, init=False)
    _wakes: dict[int, Callable[[], None]] = field(factory=dict, init=False)
    _effects: ClientEffects = field(factory=list, init=False)
    _changed: dict[Changed, None] = field(factory=dict, init=False)

    # The connection.

    def ready(self, body: Object) -> ClientEffects:
        """Begin a connection with its first push."""
        if body["user"] != self.user:
            self._become(body["user"])
        self._online = True
        for room, conversation in self._conversations.items():
            if room not in self._rooms.cursors:  # it is in the list, or the user is not in it
                conversation.drop_acknowledged()
        self._take(self._rooms.connected())
        self._take(self._rooms.pushed("ready", body))
        self._effects += self._questions.due(self._next_number)
        self._watch_again()
        return self._finish()

    def pushed(self, event: str, body: Object) -> ClientEffects:
        """Take a push. "Clients ignore kinds, fields, pushes … that they do not know"."""
        match event:
            case "marker":
                self._conversation(body["room"]).take_marker(body["user"], body, self._own())
                self._change_room(body["room"])
            case "presence":
                state = {name: value for name, value in body.items() if name != "user"}
                self._show_presence({**self.presence, body["user"]: state})
            case "ready":
                pass
            case _:
                self._take(self._rooms.pushed(event, body))
        return self._finish()

    def answered(self, number: int, answer: Object) -> ClientEffects:
        """Take the answer to a `SendCommand` of this connection."""
        if number in self._questions:
            learned, pause_ms = self._questions.answered(answer)
            self._take(learned)
            if pause_ms is not None:
                self._wake(pause_ms, self._questions.resume)
        elif number in self._commands:
            pause = self._commands.answered(number, answer)
            if pause:
                self._wake(pause[1], partial(self._commands.resume, pause[0]))
        return self._finish()

    def broken(self, code: int) -> ClientEffects:
        """End the connection, with its close code."""
        self._online = False
        self._wakes.clear()
        self._questions.disconnected()
        self._watch_backoff.reset()
        for conversation in self._conversations.values():
            conversation.mark.disconnected()
            conversation.typing.end()
        self._take(self._rooms.disconnected())
        self._commands.disconnected(too_large=code == MESSAGE_TOO_BIG)
        return self._finish()

    def woke(self, number: int) -> ClientEffects:
        """Go on after the time of a `Wake`."""
        self._wakes.pop(number, lambda: None)()
        return self._finish()

    # What the user does.

    def room_with(self, user: UserId) -> RoomId | None:
        """Return the id of the private room with ``user``, or None if the client's own user is not known yet."""
        return None if self.user is None else private_room_id(self.user, user)

    def open(self, room: RoomId) -> ClientEffects:
        """Load the newest entries of a room, and page the gaps above them from now on."""
        self._open.open(room, self._rooms.cursors.get(room))
        return self._finish()

    def more(self, room: RoomId, *, count: int = 50, until: Seq | None = None) -> ClientEffects:
        """Load ``count`` older entries, or those down to ``until``. `loaded` tells when they are there."""
        cursor = self._rooms.cursors.get(room)
        self._open.open(room, cursor)
        if cursor and until is not None:
            self._open.lower_to(room, cursor, until)
        elif cursor:
            self._open.lower_by(room, cursor, count)
        return self._finish()

    def knows(self, room: RoomId) -> bool:
        """Return whether the client knows how many entries a room has."""
        return room in self._rooms.cursors

    def loaded(self, room: RoomId) -> bool | None:
        """Return whether older entries are left, or None while the client waits for entries that were asked for."""
        cursor = self._rooms.cursors.get(room)
        if cursor is None:
            return None if not self._online or self._rooms.awaits(room) or not self._rooms.is_list_read else False
        if self._rooms.awaits(room) or self._rooms.lacks_wanted(room):
            return None
        return bool(cursor.holes)

    def compose(self, to: Object, key: str, fields: Object) -> Object:
        """Return the item to keep in the store before `send`.

        Args:
            to: `{"room"}` or `{"to"}`, as in `message.send`.
            fields: `body`, and `data`, `reply_to` and `mentions` where there are some.
        """
        return Outgoing(self.user, {**to, **fields, "key": key}).kept()

    def send(self, item: Object) -> ClientEffects:
        """Send the message of an item that `compose` has returned."""
        message = Outgoing.from_kept(item)
        self._outgoing[message.key] = message
        if self.user is not None:
            self._queue(message)
            self._conversation(self._room_of(message.data)).typing.end()
        return self._finish()

    def outgoing(self, key: str) -> Object:
        """Return a message that was sent and has no answer yet, as it is shown."""
        message = self._outgoing[key]
        return message.shown("" if self.user is None else self._room_of(message.data))

    def retry(self, key: str) -> ClientEffects:
        """Send a failed message again, with its key."""
        message = self._outgoing.get(key)
        if message and message.error:
            message.change()
            self._effects.append(Keep(message.kept()))
            self._queue(message)
        return self._finish()

    def discard(self, key: str) -> ClientEffects:
        """Drop a failed message."""
        message = self._outgoing.get(key)
        if message and message.error:
            room = self._room_of(message.data)
            del self._outgoing[key]
            self._conversation(room).discard(key)
            self._effects.append(Drop(key))
            self._change("messages", room)
        return self._finish()

    def command(self, event: str, data: Object) -> tuple[int, ClientEffects]:
        """Send any other command. One with a key is repeated until it has an answer that is not temporary.

        Returns:
            The command's number, with which one `Answered` will come, and the effects.
        """
        number = self._next_number()
        on_answer = partial(self._command_answered, number, event, data)
        self._commands.add(PendingCommand(number, event, data, self._queue_of(data), on_answer))
        return number, self._finish()

    def mark(self, room: RoomId, seq: Seq) -> ClientEffects:
        """Raise the read marker."""
        conversation = self._conversation(room)
        if conversation.is_known and seq > conversation.read():
            conversation.mark.wanted = seq
            self._marked[room] = None
            self._change_room(room)
        return self._finish()

    def type(self, room: RoomId, *, on: bool) -> ClientEffects:
        """Say whether the user types."""
        typing = self._conversation(room).typing
        if self._online and typing.says(on=on):
            self._send_once("typing", {"room": room, "on": on}, lambda _answer: None)
            if on:
                self._wake(REPEAT_MS, partial(typing.rested, typing.turn))
        return self._finish()

    # What the client shows.

    def rooms(self) -> Sequence[Object]:
        """Return the user's rooms, the most recent first."""
        infos = [info for room in self._conversations if (info := self.info(room))]
        infos.sort(key=lambda info: str(info["room"]))
        infos.sort(key=lambda info: info["last"]["at"] if "last" in info else "~", reverse=True)
        return infos

    def info(self, room: RoomId) -> Object | None:
        conversation = self._conversations.get(room)
        return conversation.info(self._own(), self._rooms.cursors.get(room)) if conversation else None

    def messages(self, room: RoomId) -> Sequence[Object]:
        """Return the messages of a room as ``docs/clients.md`` shows them, each the same object until it changes."""
        conversation = self._conversations.get(room)
        return conversation.messages(self._rooms.cursors.get(room)) if conversation else ()

    def unaddressed(self, to: Object) -> Sequence[Object]:
        """Return the messages to a room or user that wait for the first `ready`, which says who sends them."""
        if self.user is not None:
            return ()
        messages = [message for message in self._outgoing.values() if to.items() <= message.data.items()]
        return [message.shown(to.get("room", "")) for message in messages if message.user is None]

    def typists(self, room: RoomId) -> Sequence[UserId]:
        conversation = self._conversations.get(room)
        return conversation.typists if conversation else ()

    # Users.

    def _own(self) -> UserId:
        return self.user or ""

    def _become(self, user: UserId) -> None:
        """Begin with the user that `ready` names, and send the messages in the store that are the user's."""
        if self.user is not None:
            self._end_rooms()
        self.user = user
        for message in self._outgoing.values():
            if message.user is None:
                message.user = user
                self._effects.append(Keep(message.kept()))
            if message.user == user:
                message.change(error=message.error)
                room = self._room_of(message.data)
                self._conversation(room).outgoing[message.key] = message
                self._change("messages", room)
                if not message.error:
                    self._queue(message)

    def _end_rooms(self) -> None:
        """Forget what belongs to the user before."""
        for room in self._conversations:
            self._change_all(room)
        self._conversations.clear()
        self._marked.clear()
        self._commands.give_up()
        self._open = OpenRooms()
        self._rooms = Rooms({}, PAGE, self._open)
        self._questions = Questions(self._rooms)
        self._watched = ()
        self._show_presence({})

    # Rooms.

    def _conversation(self, room: RoomId) -> Conversation:
        if room not in self._conversations:
            self._conversations[room] = Conversation(room)
        return self._conversations[room]

    def _take(self, effects: Effects) -> None:
        """Show what the client has learned of its rooms."""
        for effect in effects:
            match effect:
                case Entries(room=room):
                    self._take_entries(self._conversation(room), effect)
                case RoomFields(room=room, fields=fields):
                    conversation = self._conversation(room)
                    if not conversation.take_room(fields, self._rooms.cursors.get(room), self._own()):
                        self._rooms.mark_outdated(room)
                    conversation.drop_arrived(self._rooms.cursors.get(room))
                    self._change_all(room)
                case Forget(room=room):
                    self._forget(self._conversation(room))
                case Typists(room=room, users=users):
                    self._conversation(room).typists = tuple(users)
                    self._change("typists", room)
                case Missed() | SendCommand() | Settled() | Wait():
                    pass

    def _take_entries(self, conversation: Conversation, effect: Entries) -> None:
        room, head = conversation.room, conversation.head
        for entry in effect.entries:
            if entry["kind"] in ASKS_FOR_ROOM and entry["seq"] > head:
                self._rooms.mark_outdated(room, entry["seq"])
            message = conversation.outgoing.get(entry.get("key", ""))
            if message and message.seq is None and entry["author"] == message.user:
                self._delivered(message, room, entry["seq"], entry["at"])
        if not conversation.take_entries(effect, self._rooms.cursors.get(room), self._own()):
            self._rooms.mark_outdated(room)
        if room not in self._open and len(conversation.timeline) > self._kept_entries:
            self._drop_old(conversation)
        self._change_all(room)

    def _drop_old(self, conversation: Conversation) -> None:
        """Keep the newer half of the entries of a room that is not open."""
        cursor = self._rooms.cursors[conversation.room]
        oldest = cursor.seq - self._kept_entries // 2 + 1
        if oldest > cursor.complete_from:
            conversation.forget_below(oldest)
            self._rooms.cursors[conversation.room] = cursor.without(oldest)

    def _forget(self, conversation: Conversation) -> None:
        if conversation.room in self._rooms.cursors:  # `reset`: the room has begun anew
            conversation.forget_entries()
        else:
            conversation.leave()
            self._marked.pop(conversation.room, None)
        self._change_all(conversation.room)

    # Messages.

    def _room_of(self, data: Object) -> RoomId:
        return str(data["room"]) if "room" in data else private_room_id(self._own(), data["to"])

    def _queue_of(self, data: Object) -> str | None:
        """Return the queue of a command. One with a key is repeated, in the order of its room where that is known."""
        match data:
            case {"key": _, "room": str(room)}:
                return room
            case {"key": _, "to": str()} if self.user is not None:
                return self._room_of(data)
            case {"key": key}:
                return f"key {key}"
            case _:
                return None

    def _queue(self, message: Outgoing) -> None:
        """Show a message as `sending`, and send it when its turn comes."""
        room = self._room_of(message.data)
        message.number = self._next_number()
        on_answer = partial(self._message_answered, message)
        self._commands.add(PendingCommand(message.number, "message.send", message.data, room, on_answer))
        self._conversation(room).outgoing[message.key] = message
        self._change("messages", room)

    def _message_answered(self, message: Outgoing, answer: Object) -> None:
        room = self._room_of(message.data)
        if answer["ok"]:
            self._delivered(message, answer["room"], answer["seq"], answer["at"])
            if answer.get("duplicate"):  # its entry was pushed to an earlier connection
                self._conversation(room).discard(message.key)
        elif not answer["error"]["temporary"]:
            message.number = None
            message.change(error=answer["error"])
            self._effects += [Keep(message.kept()), Failed(message.key, answer["error"])]
        self._change("messages", room)

    def _delivered(self, message: Outgoing, room: RoomId, seq: Seq, at: str) -> None:
        """Take the answer to a message, or the entry that stands for it."""
        conversation = self._conversation(self._room_of(message.data))
        if message.number is not None:
            self._commands.remove(message.number)
        self._outgoing.pop(message.key, None)
        self._effects += [Drop(message.key), Delivered(message.key, seq)]
        conversation.acknowledge(message, seq, at, self._rooms.cursors.get(room))
        if room != conversation.room:  # the user was not named by the canonical name
            conversation.discard(message.key)

    # Other commands.

    def _command_answered(self, number: int, event: str, data: Object, answer: Object) -> None:
        if answer["ok"] and event == "mark":
            self._conversation(data["room"]).take_marker(self._own(), answer, self._own())
            self._change_room(data["room"])
        elif answer["ok"] and event == "presence":
            self._watched = tuple(data["users"])
            self._show_presence(answer["presence"])
        self._effects.append(Answered(number, answer))

    def _send_once(self, event: str, data: Object, on_answer: Callable[[Object], None]) -> None:
        self._commands.add(PendingCommand(self._next_number(), event, data, None, on_answer))

    def _send_mark(self, room: RoomId) -> None:
        conversation = self._conversation(room)
        seq = conversation.mark.due()
        if seq is not None:
            self._send_once("mark", {"room": room, "read": seq}, partial(self._mark_answered, conversation))

    def _mark_answered(self, conversation: Conversation, answer: Object) -> None:
        if not self._online:
            return
        mark = conversation.mark
        if not answer["ok"] and answer["error"]["temporary"]:
            self._wake(mark.failed(answer["error"]), mark.resume)
            return
        if answer["ok"]:
            conversation.take_marker(self._own(), answer, self._own())
        mark.answered()
        if not mark.wanted:
            self._marked.pop(conversation.room, None)
        self._change_room(conversation.room)

    def _watch_again(self) -> None:
        """Ask again for the presence of the users who were watched before the break."""
        if self._watched and self._online:
            self._send_once("presence", {"users": list(self._watched)}, self._watched_again)

    def _watched_again(self, answer: Object) -> None:
        if answer["ok"]:
            self._show_presence(answer["presence"])
        elif self._online and answer["error"]["temporary"]:
            self._wake(self._watch_backoff.pause_ms(answer["error"]), self._watch_again)

    def _show_presence(self, presence: Mapping[UserId, Object]) -> None:
        if presence != self.presence:
            self.presence = presence
            self._change("presence")

    # Effects.

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _wake(self, ms: int, call: Callable[[], None]) -> None:
        number = self._next_number()
        self._wakes[number] = call
        self._effects.append(Wake(number, ms))

    def _change(self, what: Shown, room: RoomId | None = None) -> None:
        self._changed[Changed(what, room)] = None

    def _change_room(self, room: RoomId) -> None:
        self._change("info", room)
        self._change("rooms")

    def _change_all(self, room: RoomId) -> None:
        self._change_room(room)
        self._change("messages", room)
        self._change("typists", room)

    def _finish(self) -> ClientEffects:
        """Send what is due, and return the effects of the call."""
        if self._online:
            for room in self._marked:
                self._send_mark(room)
            self._effects += self._commands.due()
            self._effects += self._questions.due(self._next_number)
        effects: list[ClientEffect] = [*self._effects, *self._changed]
        self._effects, self._changed = [], {}
        return effects
