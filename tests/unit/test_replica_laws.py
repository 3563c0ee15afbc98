"""Laws of a client: whatever comes late, twice, in another order or never, it has in the end what the store has."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatcore.commands.command import RoomCommand
from chatcore.protocol import Object, entry_object
from chatcore.replica import RoomCursor
from tests.unit.replica_device import Device
from tests.unit.replica_server import UNAVAILABLE, Server
from tests.unit.replica_talk import ROOM, acts, begun, many

Steps = list[tuple[str, int | RoomCommand[Any]]]
"""What happens on the way, or what a user does."""

ways = st.tuples(st.sampled_from(["read", "fail", "retry", "sync", "lose", "lag"]), st.just(0))
pushed = st.tuples(st.just("push"), st.integers(0, 40))
backups = st.tuples(st.just("restore"), st.integers(1, 12))


class Weather:
    """Between a device and its server: pushes come in any order, twice or never, and answers late."""

    def __init__(self, server: Server, device: Device) -> None:
        self._server = server
        self._device = device
        self._late: list[Object] = []

    def push(self, number: int) -> None:
        """An entry as it was written, or rather as it is now: the older text would only be taken back."""
        entries = self._server.rooms[ROOM].entries
        self._device.hear("entry", entry_object(entries[number % len(entries)]))

    def lag(self) -> None:
        """The server reads what is asked; the answer is on its way."""
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
        self._device.hear("ready", self._server.ready("alice"))

    def restore(self, upto: int) -> None:
        self._server.restore(upto)
        self.lose()

    def clear(self) -> None:
        """What is on its way comes, and then nothing is in the way any more."""
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
                without = {
                    "read": self.read,
                    "fail": self.fail,
                    "retry": self.retry,
                    "sync": self.sync,
                    "lose": self.lose,
                    "lag": self.lag,
                }
                without[step]()


def through(taken: Steps, gap_above: int, page: int) -> Device:
    server = begun(gap_above)
    device = Device(server, page=page)
    device.connect()
    device.hear("ready", server.ready("alice"))
    weather = Weather(server, device)
    for name, what in taken:
        if isinstance(what, int):
            weather.take(name, what)
        else:
            server.do(name, what)
    weather.clear()
    return device


sizes = st.integers(1, 4)


@given(many(acts, pushed, ways), sizes, sizes)
def test_however_entries_are_pushed_a_client_ends_with_the_log_of_the_store(
    taken: Steps, gap_above: int, page: int
) -> None:
    """`Device` sees to it that nothing is given twice."""
    device = through(taken, gap_above, page)
    assert device.held() == device.server.logs("alice")
    head = max(device.held()[ROOM])
    assert device.replica.cursors == {ROOM: RoomCursor("e1", head)}


@given(many(acts, pushed, ways, backups), sizes, sizes)
def test_whenever_a_backup_is_played_back_a_client_ends_with_the_log_of_the_store(
    taken: Steps, gap_above: int, page: int
) -> None:
    device = through(taken, gap_above, page)
    assert device.held() == device.server.logs("alice")
    assert device.replica.cursors[ROOM].epoch == device.server.epoch
