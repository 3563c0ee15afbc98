"""The commands of a client: their order, keys and repetition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.protocol import Object
from chatcore.replica import SendCommand, Settled, Wait
from tests.unit.replica_device import Device, events, kinds
from tests.unit.replica_server import UNAVAILABLE, Server
from tests.unit.replica_talk import many

DONE: Object = {"ok": True}
REFUSED: Object = {"ok": False, "error": {"code": "forbidden", "message": "No.", "temporary": False}}
LIMITED: Object = {
    "ok": False,
    "error": {"code": "rate_limited", "message": "Slowly.", "temporary": True, "retry_after_ms": 7_000},
}


def message(key: str, **where: str) -> Object:
    return {**(where or {"room": "r"}), "body": key, "key": key}


def online() -> Device:
    device = Device(Server())
    device.connect()
    return device


def keys(device: Device) -> list[str]:
    return [ask.data["key"] for ask in device.asked]


def settled(device: Device) -> list[Settled]:
    return [effect for effect in device.effects if isinstance(effect, Settled)]


def test_command_sent_offline_is_asked_when_connected() -> None:
    device = Device(Server())
    number = device.send("message.send", message("a"))
    assert device.effects == []
    assert device.connect() == [SendCommand(number, "message.send", message("a"))]


def test_sync_precedes_repeated_commands_on_a_new_connection() -> None:
    server = Server()
    server.say("alice", "bob", "hi")
    device = Device(server).start()
    device.send("message.send", message("a"))
    device.lose()
    assert [event for event, _ in events(device.connect())] == ["sync", "message.send"]


@pytest.mark.parametrize("answer", [DONE, REFUSED], ids=["done", "refused"])
def test_permanent_answer_settles_a_command_once(answer: Object) -> None:
    device = online()
    number = device.send("message.send", message("a"))
    assert device.answer(answer) == [Settled(number, answer)]
    assert device.retry() == []
    assert device.take(device.replica.answered(number, answer)) == []
    device.lose()
    assert device.connect() == []


def test_temporary_failure_is_repeated_after_the_wait_with_number_and_key() -> None:
    device = online()
    number = device.send("message.send", message("a"))
    assert device.answer(UNAVAILABLE) == [Wait(100)]
    assert device.retry() == [SendCommand(number, "message.send", message("a"))]


def test_waits_grow_to_5_s_and_restart_after_a_success() -> None:
    device = online()
    device.send("message.send", message("a"))
    for _ in range(8):
        device.answer(UNAVAILABLE)
        device.retry()
    assert device.waits == [100, 200, 400, 800, 1600, 3200, 5000, 5000]
    device.answer(DONE)
    device.send("message.send", message("b"))
    assert device.answer(UNAVAILABLE) == [Wait(100)]


def test_waits_restart_on_a_new_connection() -> None:
    device = online()
    device.send("message.send", message("a"))
    device.answer(UNAVAILABLE)
    device.lose()
    device.connect()
    assert device.answer(UNAVAILABLE) == [Wait(100)]


def test_wait_is_as_long_as_the_server_requests() -> None:
    device = online()
    device.send("message.send", message("a"))
    assert device.answer(LIMITED) == [Wait(7_000)]


def test_failure_during_a_wait_causes_no_second_wait() -> None:
    device = online()
    device.send("message.send", message("a"))
    device.send("message.send", message("b"))
    assert device.answer(UNAVAILABLE) == [Wait(100)]
    assert device.answer(UNAVAILABLE) == []
    device.retry()
    assert keys(device) == ["a", "b"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"room": "r"}, {"room": "r"}),
        ({"to": "bob"}, {"to": "bob"}),
        ({"to": "bob"}, {"room": "pvt-alice-bob"}),
    ],
)
def test_command_does_not_overtake_a_waiting_command_to_its_room(first: dict[str, str], second: dict[str, str]) -> None:
    device = online()
    device.send("message.send", message("a", **first))
    device.answer(UNAVAILABLE)
    device.send("message.send", message("b", **second))
    device.send("message.send", message("elsewhere", room="q"))
    assert keys(device) == ["elsewhere"]
    device.retry()
    assert keys(device) == ["elsewhere", "a", "b"]


def test_command_without_a_room_waits_for_no_other() -> None:
    device = online()
    device.send("room.create", message("a", title="t"))
    device.answer(UNAVAILABLE)
    device.send("room.create", message("b", title="t"))
    assert keys(device) == ["b"]


def test_command_without_a_key_is_not_repeated() -> None:
    """The client does not know whether the command was carried out."""
    device = online()
    number = device.send("mark", {"room": "r", "read": 1})
    assert device.answer(UNAVAILABLE) == [Settled(number, UNAVAILABLE)]
    number = device.send("mark", {"room": "r", "read": 1})
    assert device.lose() == [Settled(number, None)]
    assert device.connect() == []


def test_unsent_command_without_a_key_survives_a_lost_connection() -> None:
    device = Device(Server())
    device.send("mark", {"room": "r", "read": 1})
    assert device.lose() == []
    assert kinds(device.connect()) == [SendCommand]


def test_answer_to_an_unknown_number_is_ignored() -> None:
    assert online().replica.answered(99, DONE) == []


def test_retry_without_a_connection_asks_nothing() -> None:
    device = online()
    device.send("message.send", message("a"))
    device.answer(UNAVAILABLE)
    device.lose()
    assert device.retry() == []
    assert [event for event, _ in events(device.connect())] == ["message.send"]


class FlakyServer:
    """A server that carries out the oldest command, or fails all commands of a room.

    ``log`` has each key once; ``tries`` has the data of each number.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.log: list[tuple[str, str]] = []
        self.tries: dict[int, list[Object]] = {}

    def _carry_out(self, ask: SendCommand) -> None:
        self.tries.setdefault(ask.number, []).append(ask.data)
        done = (ask.data["room"], ask.data["key"])
        if done not in self.log:
            self.log.append(done)

    def do(self) -> None:
        if self._device.asked:
            self._carry_out(self._device.asked[0])
            self._device.answer(DONE)

    def fail(self) -> None:
        if not self._device.asked:
            return
        room = self._device.asked[0].data["room"]
        failed = [ask for ask in self._device.asked if ask.data["room"] == room]
        self._device.asked = [ask for ask in self._device.asked if ask not in failed]
        for ask in failed:
            self._device.take(self._device.replica.answered(ask.number, UNAVAILABLE))

    def leave(self, done: int) -> None:
        """Lose the connection: ``done`` commands are carried out, and their answers are lost."""
        for ask in self._device.asked[:done]:
            self._carry_out(ask)
        self._device.lose()
        self._device.connect()


sends = st.tuples(st.just("send"), st.sampled_from("rq"))
answers = st.tuples(st.sampled_from(["do", "fail", "retry"]), st.none())
breaks = st.tuples(st.just("leave"), st.integers(0, 4))


@given(many(sends, answers, breaks))
def test_each_room_gets_each_command_once_in_order_despite_failures(
    taken: list[tuple[str, str | int | None]],
) -> None:
    device = online()
    server = FlakyServer(device)
    given: list[tuple[str, str]] = []
    for step in [*taken, ("retry", None), *[("do", None)] * 60]:
        match step:
            case ("send", str(room)):
                given.append((room, str(len(given))))
                device.send("message.send", message(given[-1][1], room=room))
            case ("leave", int(done)):
                server.leave(done)
            case ("retry", _):
                device.retry()
            case (name, _):
                {"do": server.do, "fail": server.fail}[name]()
    for room in "rq":
        assert [done for done in server.log if done[0] == room] == [sent for sent in given if sent[0] == room]
    assert [effect.answer for effect in settled(device)] == [DONE] * len(given)
    assert all(data == tries[0] for tries in server.tries.values() for data in tries)
