"""The connection between one client and one node: ordered, slow, and cut at any time."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from math import inf
from typing import Any, TypeAlias

import anyio

from ...commands.presence import SetPresence
from ...domain.entries import Entry
from ...ids import UserId
from ...ports.pushes import Bye, Push, Ready
from ...protocol import Object, push_object
from .invariants import SocketInvariants
from .processes import Process
from .reference_log import SocketTimes
from .world import Attempt, World

Frame: TypeAlias = tuple[Any, ...]
"""From the client: number, name and data of a command. From the node: `push` with name and object, `answer` with number
and object, `end`, or `nothing` for a lost frame."""
ACCESS_S = (1, 15)
"""The range of seconds after which the access of a connection ends, when the fault `access expires` occurs."""


class Pipe:
    """One direction of a connection. Frames arrive later and in order; those under way are lost when it is cut."""

    def __init__(self, world: World, receive: Callable[[Frame], None]) -> None:
        self.is_cut = False
        self._world = world
        self._receive = receive
        self._frames: list[Frame] = []

    def put(self, frame: Frame) -> None:
        if self.is_cut:
            return
        if not self._frames:
            self._world.call_later(self._world.delay(), self._deliver)
        self._frames.append(frame)

    def drop_frames(self) -> None:
        """Lose the frames that are under way."""
        if self._frames:
            self._frames = [("nothing",)]

    def _deliver(self) -> None:
        frames, self._frames = self._frames, []
        for frame in frames:
            if not self.is_cut:
                self._receive(frame)


class SimulatedConnection:
    """A connection with both of its ends: the node's, which is a `Connection`, and the client's.

    Answers and pushes of the node go through one pipe, as over a websocket.

    Args:
        receive: The client's callback for frames of the node.
        access_s: Seconds after which the access of the connection ends, if it does.
    """

    def __init__(
        self,
        world: World,
        process: Process,
        user: UserId,
        session: str,
        receive: Callable[["SimulatedConnection", Frame], None],
        access_s: float | None = None,
    ) -> None:
        self.id: str = world.new_id()
        self.user = user
        self.session = session
        self.ready_at: float = inf
        self.raised: bool = False
        """Whether `send` has raised. The node must not push to it any more."""
        self.is_left: bool = False
        """Whether the transport has left the block of its socket, whose end may still wait for the registry."""
        self.away: bool = False
        """Whether the last `presence.set` that was answered said so."""
        self.access_s: float | None = (
            world.random.uniform(*ACCESS_S) if world.faults.occurs("connection: access expires") else access_s
        )
        self.expires_at: datetime | None = None
        """When the access ends by the node's clock; None once a refresh was answered."""
        self.bye: Bye | None = None
        self.ended: bool = False
        self.invariants: SocketInvariants = SocketInvariants(world, process, user, self.id)
        self._world = world
        self._process = process
        self._to_client = Pipe(world, partial(receive, self))
        self._to_node = Pipe(world, self._command_arrived)
        self._commands: list[Frame] = []
        self._times = SocketTimes(user, process, world.now)
        world.sockets.append(self._times)
        self._changed = anyio.Event()

    def __repr__(self) -> str:
        return f"{self.user}'s connection {self.id}"

    # The client's end.

    def send_command(self, number: int, name: str, data: Object) -> None:
        self._to_node.put((number, name, data))

    def cut(self) -> None:
        """Let nothing more through, in either direction."""
        self._to_client.is_cut = self._to_node.is_cut = True

    # The node's end.

    @property
    def is_open(self) -> bool:
        """Whether the node serves this connection."""
        return not (self.bye or self.ended)

    def send(self, push: Push) -> None:
        if isinstance(push.body, Ready):
            self._times.ready_at = self._world.now
        if not self.is_open:
            return
        if self.raised:
            self._world.violation(f"{self} got the push {push.event} after it had raised")
        if self._world.faults.occurs("connection: raises"):
            self.raised = True
            raise self._world.injected_error(self._process)
        match push.body:
            case Entry() as entry:
                self.invariants.entry_pushed(entry)
            case Ready() as ready:
                self.invariants.ready_pushed(ready)
                self.ready_at = self._world.now
            case _:
                self.invariants.other_pushed(push)
        body = _push_object(push)
        self._world.trace("%s (%s) gets %s %s", self.user, self.id, push.event, body)
        self._to_client.put(("push", push.event, body))

    def close(self, bye: Bye) -> None:
        if not self.is_open:
            return
        self.bye = bye
        closable = {"kicked": self.id, "signed_out": self.session}.get(bye.code)
        if closable and (bye.code, closable) not in self._world.closable:
            self._world.violation(f"{self} was closed as {bye.code} without a call that closes it")
        self._world.counts[f"bye: {bye.code}"] += 1
        self._to_client.put(("push", "bye", push_object(bye)))
        self._to_client.put(("end",))
        self._changed.set()

    async def drained(self) -> None:
        if self._world.faults.occurs("connection: slow reader"):
            await anyio.sleep(self._world.random.uniform(0, 3))

    async def next_command(self) -> Frame | None:
        """Return the next command, or None once the node has closed the connection."""
        while not self._commands:
            if self.bye:
                return None
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._commands.pop(0)

    def start_attempt(self, name: str, data: object) -> Attempt:
        attempt = self._world.start_attempt(self.user, name, data, self._process, over_socket=True)
        self.invariants.command_received(attempt)
        return attempt

    def answer(self, number: int, attempt: Attempt, answer: Object) -> None:
        if self._process.killed:
            return  # a killed process sends nothing
        self._world.end_attempt(attempt, answer)
        self.invariants.answer_sent(attempt, answer)
        if attempt.name == "auth.refresh":
            self.expires_at = None
        if isinstance(attempt.command, SetPresence) and answer["ok"]:
            self.away = attempt.command.state == "away"
        if self.is_open:
            self._to_client.put(("answer", number, answer))

    def end(self, *, abruptly: bool = False) -> None:
        """End the connection at the node. With ``abruptly`` the frames under way are lost."""
        if abruptly:
            self._to_client.drop_frames()
        if not self.ended and (abruptly or self.bye is None):
            self._to_client.put(("end",))
        self.ended = True
        self.left()

    def left(self) -> None:
        """Note that the node has left the socket. A blocked node does so later, when its task of the socket ends."""
        self.is_left = True
        process = self._times.process
        if self._times.left_at == inf and (process.killed or process.held_handles is None):
            self._times.left_at = self._world.now

    def _command_arrived(self, command: Frame) -> None:
        self._commands.append(command)
        self._changed.set()


_last_push: list[tuple[Push, Object]] = []


def _push_object(push: Push) -> Object:
    """Return the wire object of a push. The last object is kept, since a push goes to many sockets in a row."""
    if not (_last_push and _last_push[0][0] is push):
        _last_push[:] = [(push, push_object(push.body))]
    return _last_push[0][1]
