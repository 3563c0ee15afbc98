"""The running client: it connects, carries out what `chatcore.replica.ClientState` decides, and tells who waits."""

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from attrs import evolve, frozen

from chatcore.replica import (
    Answered,
    Changed,
    ClientEffects,
    ClientState,
    Delivered,
    Drop,
    Failed,
    Keep,
    SendCommand,
    Shown,
    Wake,
)

from .connection import End, Link
from .deliveries import Deliveries, PastDelivery
from .errors import CLOSED, ClientEnded, ClientError, SignedOut
from .live import LiveValue
from .message import Delivery, Message
from .room import Room
from .store import Store
from .transport import Object, Transport

log: Final = logging.getLogger(__name__)

PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 5.0
"""Seconds of the first pause between two connections, and of the longest one. Each attempt in vain doubles the last."""
KEY_BYTES = 12

TokenSource: TypeAlias = str | Callable[[str | None], Awaitable[str]]
"""An access token, or a function that returns one: see `connect`."""


@frozen
class Status:
    """How the client is connected.

    Attributes:
        state: `connecting` until the first connection, then `online`, `offline` after a break, and `ended` when the
            client does not connect any more.
        user: the user of the last connection.
        error: the last error since the client was online: of a refusal, of `bye`, or of the token function.
    """

    state: Literal["connecting", "online", "offline", "ended"]
    user: str | None
    error: Object | None


def error_object(error: Exception) -> Object:
    """Return the error object of what a token function has raised."""
    if isinstance(error, ClientError):
        return error.error
    return {"code": "unavailable", "message": str(error) or type(error).__name__, "temporary": True}


class Engine:
    """One client. It belongs to the event loop in which it was started.

    A room is named by ``to``: `{"room": id}`, or `{"to": user}` for the private room with a user.
    """

    def __init__(self, token: TokenSource, store: Store, transport: Transport) -> None:
        self._source = token
        self._store = store
        self._transport = transport
        self._state = ClientState(store.load())
        self._token = ""
        """The token of the present connection, or of the attempt to make one."""
        self._link: Link | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._end: ClientEnded | None = None
        """Why the client does not run any more."""
        self._is_started = self._is_closed = False
        self._present = Status("connecting", None, None)
        self._rooms: dict[str, RoomValues] = {}
        """The rooms that the program got, by their names."""
        self._names: dict[str, list[str]] = {}
        """The names of the rooms that the program got, by id."""
        self._deliveries = Deliveries(self._retry, self._discard)
        self._answers: dict[int, asyncio.Future[Object]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        """Who waits for something to be learned."""
        self._stale: dict[LiveValue[Any], None] = {}
        self.status: LiveValue[Status] = LiveValue(lambda: self._present, ended=self._ended_quietly)
        self.rooms: LiveValue[Sequence[Object]] = LiveValue(lambda: tuple(self._state.rooms()), ended=self._ended)
        self.presence: LiveValue[Mapping[str, Object]] = LiveValue(lambda: self._state.presence, ended=self._ended)

    # Its life.

    def start(self) -> None:
        if self._is_started:
            raise RuntimeError("A client is entered once. Call `connect` for another one.")
        self._is_started = True
        self._begin(self._run())

    async def close(self) -> None:
        """Close the connection, and give up what waits for it."""
        self._is_closed = True
        self._finish(self._present.error, CLOSED)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._transport.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "The client failed", "exception": error, "task": task}
            )
            self._finish({"code": "internal", "message": "The client failed.", "temporary": False})

    def _finish(self, error: Object | None, why: Object | None = None) -> None:
        """Do not connect any more."""
        if self._end is None:
            self._end = ClientEnded(why or error or CLOSED)
            self._deliveries.end(self._end)
            futures: list[asyncio.Future[Any]] = [*self._answers.values(), *self._waiting]
            for future in futures:
                if not future.done():
                    future.set_exception(self._end)
            if self._link:
                self._link.give_up()
            self._show(Status("ended", self._present.user, error))
        for room in self._rooms.values():
            self._mark_stale(room.info, room.messages, room.typists)
        self._mark_stale(self.status, self.rooms, self.presence)

    def _ended(self) -> Exception | None:
        return StopAsyncIteration() if self._is_closed else self._end

    def _ended_quietly(self) -> Exception | None:
        return StopAsyncIteration() if self._end else None

    def _check_runs(self) -> None:
        if self._end:
            raise self._end

    def _show(self, status: Status) -> None:
        self._present = status
        self._mark_stale(self.status)

    # Connections.

    async def _run(self) -> None:
        pause_s, is_refused = PAUSE_S_MIN, False
        refused: str | None = None
        while self._end is None:
            token = await self._renew(refused)
            if token is None:
                pause_s = await self._pause(pause_s)
                continue
            self._token = token
            self._link = link = Link(self, self._transport, token)
            end = await link.ended
            if link.was_ready:
                pause_s, is_refused = PAUSE_S_MIN, False
            was_refused, is_refused = is_refused, end.is_unauthenticated
            refused = token if is_refused else None
            if was_refused or not is_refused:
                pause_s = await self._pause(pause_s, (end.bye or {}).get("retry_after_ms", 0) / 1000)

    async def _renew(self, refused: str | None) -> str | None:
        """Return a token for the next connection, or None if the token function failed."""
        if isinstance(self._source, str):
            return self._source
        try:
            return await self._source(refused)
        except SignedOut as error:
            self._finish(error.error)
        except Exception as error:  # noqa: BLE001 - whatever a token function raises, it is called again
            self._show(evolve(self._present, error=error_object(error)))
        return None

    async def _pause(self, pause_s: float, least_s: float = 0) -> float:
        """Wait before the next attempt. Returns the seconds of the next pause."""
        if self._end is None:
            await asyncio.sleep(max(pause_s * self._transport.pause_factor(), least_s))
        return min(2 * pause_s, PAUSE_S_MAX)

    async def _refresh(self, link: Link, left_s: float) -> None:
        """Give a connection another token before its own ends, in ``left_s`` seconds.

        Where the token function returns the same token again, it is asked anew after half of the time that is left.
        """
        pause_s = PAUSE_S_MIN
        while link is self._link:
            token = await self._renew(self._token)
            if token is None:
                pause_s = await self._pause(pause_s)
                continue
            if link is not self._link:
                return
            is_same, self._token = token == self._token, token
            await self._command("auth.refresh", {"token": token})
            if not is_same or left_s < 2 * PAUSE_S_MIN:
                return
            await asyncio.sleep(left_s / 2)
            left_s /= 2

    # What a connection tells.

    def ready(self, body: Object) -> None:
        before = self._state.user
        effects = self._state.ready(body)
        if self._state.user != before:
            effects += self._address_rooms()
        self._show(Status("online", self._state.user, None))
        self._apply(effects)

    def _address_rooms(self) -> ClientEffects:
        """Find the rooms of the program by their ids, which depend on the user, and open those that are open."""
        self._names.clear()
        effects: ClientEffects = []
        for name, room in self._rooms.items():
            self._names.setdefault(self.room_id(room.to) or "", []).append(name)
            self._mark_stale(room.info, room.messages, room.typists)
            if room.is_open:
                effects += self._open_addressed(room)
        return effects

    def pushed(self, event: str, body: Object) -> None:
        if event != "auth.expiring":
            self._apply(self._state.pushed(event, body))
        elif self._link and not isinstance(self._source, str):
            self._begin(self._refresh(self._link, body["expires_in"]))

    def answered(self, number: int, answer: Object) -> None:
        self._apply(self._state.answered(number, answer))

    def broken(self, end: End) -> None:
        self._link = None
        self._apply(self._state.broken(end.code))
        error = end.bye or end.refusal or self._present.error
        is_final = end.bye is not None and not end.bye.get("resumable")
        if is_final or (end.is_unauthenticated and isinstance(self._source, str)):
            self._finish(error)
        elif self._end is None:
            was_online = self._present.state != "connecting"
            self._show(Status("offline" if was_online else "connecting", self._present.user, error))

    # Effects.

    def _apply(self, effects: ClientEffects) -> None:
        loop = asyncio.get_running_loop()
        for effect in effects:
            match effect:
                case SendCommand(number=number, event=event, data=data):
                    if self._link:
                        self._link.send(number, event, data)
                case Wake(number=number, ms=ms):
                    loop.call_later(ms / 1000, self._woke, number)
                case Changed(what=what, room=room):
                    self._mark_stale(*self._values(what, room))
                case Keep(item=item):
                    self._store_quietly(partial(self._store.put, item))
                case Drop(key=key):
                    self._store_quietly(partial(self._store.drop, key))
                case Delivered(key=key, seq=seq):
                    self._deliveries.delivered(key, seq)
                case Failed(key=key, error=error):
                    self._deliveries.failed(key, error)
                case Answered(number=number, answer=answer):
                    future = self._answers.get(number)
                    if future and not future.done():
                        future.set_result(answer)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _woke(self, number: int) -> None:
        self._apply(self._state.woke(number))

    def _store_quietly(self, write: Callable[[], None]) -> None:
        """Write to the store what the program does not wait for. Without it the message is sent again some time."""
        try:
            write()
        except (OSError, ValueError):
            log.exception("outbox_not_written")

    def _values(self, what: Shown, room: str | None) -> Sequence[LiveValue[Any]]:
        match what:
            case "rooms":
                return (self.rooms,)
            case "presence":
                return (self.presence,)
            case "info":
                return [self._rooms[name].info for name in self._names.get(room or "", ())]
            case "messages":
                return [self._rooms[name].messages for name in self._names.get(room or "", ())]
            case "typists":
                return [self._rooms[name].typists for name in self._names.get(room or "", ())]

    def _mark_stale(self, *lives: LiveValue[Any]) -> None:
        """Tell who follows these values, once for all changes of a moment."""
        followed = [live for live in lives if live.changed()]
        if followed and not self._stale:
            asyncio.get_running_loop().call_soon(self._tell)
        self._stale |= dict.fromkeys(followed)

    def _tell(self) -> None:
        stale, self._stale = self._stale, {}
        for live in stale:
            live.tell()

    async def _until(self, learned: Callable[[], bool | None]) -> bool:
        """Wait until `learned` returns something, and return that."""
        while (value := learned()) is None:
            self._check_runs()
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return value

    # What the program does.

    def room(self, to: Object) -> Room:
        name = json.dumps(to)
        if name not in self._rooms:
            self._rooms[name] = values = RoomValues(self, to, self._ended)
            self._names.setdefault(self.room_id(to) or "", []).append(name)
            values.room = Room(self, to, info=values.info, messages=values.messages, typists=values.typists)
        return self._rooms[name].room

    def room_id(self, to: Object) -> str | None:
        return str(to["room"]) if "room" in to else self._state.room_with(to["to"])

    def open(self, to: Object) -> None:
        room = self._rooms[json.dumps(to)]
        if not room.is_open:
            room.is_open = True
            self._apply(self._open_addressed(room))

    def _open_addressed(self, room: "RoomValues") -> ClientEffects:
        room_id = self.room_id(room.to)
        return [] if room_id is None else self._state.open(room_id)

    def info(self, to: Object) -> Object | None:
        room_id = self.room_id(to)
        return None if room_id is None else self._state.info(room_id)

    def messages(self, to: Object) -> Sequence[Object]:
        room_id = self.room_id(to)
        shown = () if room_id is None else self._state.messages(room_id)
        return [*shown, *self._state.unaddressed(to)]

    def typists(self, to: Object) -> Sequence[str]:
        room_id = self.room_id(to)
        return () if room_id is None else tuple(self._state.typists(room_id))

    def delivery(self, fields: Object) -> Delivery:
        """Return what becomes of a message that is shown with these fields."""
        if fields["state"] == "sent":
            return PastDelivery(fields["seq"])
        delivery = self._deliveries.of(fields["key"])
        if fields["state"] == "failed":
            delivery.failed(ClientError(fields["error"]))
        return delivery

    def send(self, to: Object, fields: Object) -> Message:
        self._check_runs()
        item = self._state.compose(to, secrets.token_urlsafe(KEY_BYTES), fields)
        json.dumps(item, allow_nan=False)
        self._store.put(item)
        self._apply(self._state.send(item))
        return self._rooms[json.dumps(to)].message(self._state.outgoing(item["key"]))

    def _retry(self, key: str) -> None:
        self._apply(self._state.retry(key))

    def _discard(self, key: str) -> None:
        self._apply(self._state.discard(key))
        self._deliveries.discarded(key)

    async def call(self, event: str, data: Object) -> Object:
        self._check_runs()
        json.dumps(data, allow_nan=False)
        answer = await self._command(event, data)
        if not answer["ok"]:
            raise ClientError(answer["error"])
        return {name: value for name, value in answer.items() if name != "ok"}

    async def _command(self, event: str, data: Object) -> Object:
        """Send a command, and return its final answer."""
        number, effects = self._state.command(event, data)
        future: asyncio.Future[Object] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            self._apply(effects)
            return await future
        finally:
            del self._answers[number]

    async def change(self, to: Object, event: str, data: Object) -> Object:
        await self._until(lambda: None if self.room_id(to) is None else True)
        return await self.call(event, {"room": self.room_id(to), **data, "key": secrets.token_urlsafe(KEY_BYTES)})

    async def more(self, to: Object, count: int, until: int | None) -> bool:
        self.room(to)
        self.open(to)
        await self._until(lambda: self._is_known(to))
        room_id = self.room_id(to) or ""
        self._apply(self._state.more(room_id, count=count, until=until))
        return await self._until(lambda: self._state.loaded(room_id))

    def _is_known(self, to: Object) -> bool | None:
        room_id = self.room_id(to)
        if room_id is None:
            return None
        return True if self._state.knows(room_id) else self._state.loaded(room_id)

    def mark(self, to: Object, seq: int) -> None:
        room_id = self.room_id(to)
        if room_id is not None:
            self._apply(self._state.mark(room_id, seq))

    def typing(self, to: Object, *, on: bool) -> None:
        room_id = self.room_id(to)
        if room_id is not None:
            self._apply(self._state.type(room_id, on=on))


class RoomValues:
    """One room of the program: its live values, and the messages that were shown last."""

    room: Room

    def __init__(self, engine: Engine, to: Object, ended: Callable[[], Exception | None]) -> None:
        self._engine = engine
        self.to = to
        self.is_open = False
        self._messages: dict[int, Message] = {}
        """The messages that were shown last, by the identity of their fields, which they hold."""
        self.info: LiveValue[Object | None] = LiveValue(partial(engine.info, to), ended=ended)
        self.typists: LiveValue[Sequence[str]] = LiveValue(partial(engine.typists, to), ended=ended)
        self.messages: LiveValue[Sequence[Message]] = LiveValue(
            self._show_messages, ended=ended, on_use=partial(engine.open, to)
        )

    def message(self, fields: Object) -> Message:
        """Return the message with these fields: the same object as long as they are the same."""
        if id(fields) not in self._messages:
            self._messages[id(fields)] = Message(fields, self._engine.delivery(fields))
        return self._messages[id(fields)]

    def _show_messages(self) -> Sequence[Message]:
        messages = tuple(map(self.message, self._engine.messages(self.to)))
        self._messages = {id(message.fields): message for message in messages}
        return messages
