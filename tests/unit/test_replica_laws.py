"""Laws of a client: it ends with the log of the store if pushes are late, repeated, reordered or lost."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatcore.commands.command import RoomCommand
from chatcore.protocol import Object, entry_object
from chatcore.replica import RoomCursor
from tests.unit.replica_device import Device
from tests.unit.replica_server import UNAVAILABLE, Server
from tests.unit.replica_talk import ROOM, actions, many, started_server

Steps = list[tuple[str, int | RoomCommand[Any]]]
"""Steps of the network, and commands of users."""

network_steps = st.tuples(st.sampled_from(["read", "fail", "retry", "sync", "lose", "lag"]), st.just(0))
pushed = st.tuples(st.just("push"), st.integers(0, 40))
backups = st.tuples(st.just("restore"), st.integers(1, 12))


class Network:
    """The network between a device and its server: it reorders, repeats or loses pushes, and delays answers."""

    def __init__(self, server: Server, device: Device) -> None:
        self._server = server
        self._device = device
        self._late: list[Object] = []

    def push(self, number: int) -> None:
        """Push an entry in its present state."""
        entries = self._server.rooms[ROOM].entries
        self._device.receive("entry", entry_object(entries[number % len(entries)]))

    def lag(self) -> None:
        """Let the server answer the oldest question. The answer is delivered later."""
        if self._device.asked and not self._late:
            self._late.append(self._device.ask_server(self._device.asked[0]))

    def read(self) -> None:
        if self._device.asked:
            self._device.answer(self._late.pop() if self._late else None)

    def fail(self) -> None:
        if self._device.asked:
            self._late.clear()
            self._device.answer(UNAVAILABLE)

    def lose(self) -> None:
        self._late.clear()
        self._device.lose()
        self._device.connect()
        self._device.receive("ready", self._server.ready("alice"))

    def restore(self, upto: int) -> None:
        self._server.restore(upto)
        self.lose()

    def clear(self) -> None:
        """Deliver the late answer, and answer all questions."""
        self.read()
        self.retry()
        self._device.settle()
        self.sync()
        self._device.settle()

    def sync(self) -> None:
        self._device.take(self._device.replica.sync())

    def retry(self) -> None:
        self._device.retry()

    def take(self, step: str, number: int) -> None:
        match step:
            case "push":
                self.push(number)
            case "restore":
                self.restore(number)
            case _:
                methods = {
                    "read": self.read,
                    "fail": self.fail,
                    "retry": self.retry,
                    "sync": self.sync,
                    "lose": self.lose,
                    "lag": self.lag,
                }
                methods[step]()


def run_steps(taken: Steps, gap_above: int, page: int) -> Device:
    server = started_server(gap_above)
    device = Device(server, page=page)
    device.connect()
    device.receive("ready", server.ready("alice"))
    network = Network(server, device)
    for name, step in taken:
        if isinstance(step, int):
            network.take(name, step)
        else:
            server.do(name, step)
    network.clear()
    return device


sizes = st.integers(1, 4)


@given(many(actions, pushed, network_steps), sizes, sizes)
def test_client_has_the_log_of_the_store_for_any_order_of_pushes(taken: Steps, gap_above: int, page: int) -> None:
    """`Device` checks that no entry is given twice."""
    device = run_steps(taken, gap_above, page)
    assert device.held() == device.server.logs("alice")
    head = max(device.held()[ROOM])
    assert device.replica.cursors == {ROOM: RoomCursor("e1", head)}


@given(many(actions, pushed, network_steps, backups), sizes, sizes)
def test_client_has_the_log_of_the_store_after_any_restore(taken: Steps, gap_above: int, page: int) -> None:
    device = run_steps(taken, gap_above, page)
    assert device.held() == device.server.logs("alice")
    assert device.replica.cursors[ROOM].epoch == device.server.epoch
