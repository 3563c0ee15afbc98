"""Polling is a doorway, not a road: what a default client does by HTTP before its websocket stands.

It shakes hands by GET, sends CONNECT by POST, and lets a GET hang while it opens the websocket. It only moves over
once that GET has been answered; so from the probe on every GET is answered with NOOP.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from engineio import packet as engine
from socketio import packet as socketio

from chatcore.errors import Invalid, Unavailable
from chatcore.ids import new_id

from .caps import Cap
from .janitor import Janitor
from .packets import NOOP, EnginePacket, Packet, connect_error

PACKETS_MAX = 16
"""In one POST."""
SEPARATOR = "\x1e"

NO_WEBSOCKET = "No websocket was opened in time, and nothing goes by polling here; perhaps a proxy stands in its way."


class Stage(Enum):
    WAITING = auto()
    """for the websocket."""
    MOVING = auto()
    """The websocket has been probed."""
    MOVED = auto()
    """The websocket stands."""
    REFUSED = auto()
    """The websocket did not come in time; the next GET says so."""
    GONE = auto()


class Doorway:
    """One polling session, until its websocket stands or does not come in time."""

    def __init__(self, *, deadline: float, over: Callable[["Doorway"], None]) -> None:
        self.sid = new_id()
        self.deadline = deadline
        self.connect: str | None = None
        """CONNECT as it came by POST; it is carried out on the websocket."""
        self.stage = Stage.WAITING
        self._over = over
        self._namespace: str | None = None
        self._moved = asyncio.Event()
        self._is_polled = False
        self._is_claimed = False

    def claim(self) -> None:
        """A websocket wants to be its continuation; there is one try. Raises `Invalid`."""
        if self._is_claimed or self.stage is not Stage.WAITING:
            raise Invalid("This session has a websocket already.", field="sid")
        self._is_claimed = True

    def move(self, stage: Stage) -> None:
        self.stage = stage
        if stage is Stage.WAITING:
            self._moved.clear()
        else:
            self._moved.set()
        if stage in (Stage.MOVED, Stage.GONE):
            self._over(self)

    def post(self, body: str) -> None:
        """Take what a POST carries: CONNECT, or the end. Raises `Invalid` for everything else."""
        packets = body.split(SEPARATOR)
        if len(packets) > PACKETS_MAX:
            raise Invalid("These are too many packets.")
        for text in packets:
            self._take(text)

    def _take(self, text: str) -> None:
        try:
            packet = EnginePacket(encoded_packet=text)
        except ValueError:
            raise Invalid("This is no Engine.IO packet.") from None
        if packet.packet_type == engine.CLOSE:
            self.move(Stage.GONE)
        elif packet.packet_type == engine.MESSAGE and not packet.binary and self.connect is None:
            self._namespace = _namespace_of_connect(packet.data)
            self.connect = packet.data
        else:
            raise Invalid("By polling there is one CONNECT, and nothing else; use websocket.")

    async def poll(self) -> str:
        """What a GET is answered with, as soon as there is anything. Raises `Invalid`."""
        if self._is_polled:
            raise Invalid("There is a GET already.")
        self._is_polled = True
        try:
            await self._moved.wait()
        finally:
            self._is_polled = False
        match self.stage:
            case Stage.REFUSED:
                self.move(Stage.GONE)
                return connect_error(Unavailable(NO_WEBSOCKET), self._namespace)
            case Stage.GONE:
                raise Invalid("This session has ended.", field="sid")
            case _:
                return NOOP


class Doorways:
    """All doorways, by their session's id."""

    def __init__(self, cap: Cap, janitor: Janitor, *, within: float) -> None:
        self._cap = cap
        self._janitor = janitor
        self._within = within
        self._doorways: dict[str, Doorway] = {}

    def __len__(self) -> int:
        return len(self._doorways)

    def open(self, address: str | None) -> Doorway:
        """A new one. Raises `RateLimited`."""
        self._cap.enter(address)

        def over(doorway: Doorway) -> None:
            if self._doorways.pop(doorway.sid, None):
                self._cap.leave(address)
            if not self._doorways:
                self._janitor.forget(self)

        doorway = Doorway(deadline=asyncio.get_running_loop().time() + self._within, over=over)
        self._doorways[doorway.sid] = doorway
        self._janitor.watch(self)
        return doorway

    def find(self, sid: str) -> Doorway:
        """Raises `Invalid`."""
        if found := self._doorways.get(sid):
            return found
        raise Invalid("There is no such session, or its websocket stands.", field="sid")

    def tick(self, now: float) -> None:
        for doorway in tuple(self._doorways.values()):
            if now >= doorway.deadline:
                self._expire(doorway)

    def close(self) -> None:
        for doorway in tuple(self._doorways.values()):
            doorway.move(Stage.GONE)

    def _expire(self, doorway: Doorway) -> None:
        """In time or never: a client that sent CONNECT is told why it is not answered, once it asks."""
        told = doorway.connect is not None and doorway.stage is not Stage.REFUSED
        doorway.deadline += self._within
        doorway.move(Stage.REFUSED if told else Stage.GONE)


def _namespace_of_connect(text: str) -> str | None:
    """Where CONNECT goes to. Raises `Invalid` for what is no CONNECT."""
    packet = Packet()
    try:
        packet.decode(text)
    except ValueError:
        raise Invalid("This is no Socket.IO packet.") from None
    if packet.packet_type != socketio.CONNECT:
        raise Invalid("The first packet is CONNECT.")
    namespace: str | None = packet.namespace
    return namespace
