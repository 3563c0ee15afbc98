"""What a client does with the commands that its user gives: order, keys, repeating."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.protocol import Object
from chatcore.replica import Ask, Settled, Wait
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
    return [effect for effect in device.said if isinstance(effect, Settled)]


def test_what_is_said_before_there_is_a_line_goes_out_when_there_is_one() -> None:
    device = Device(Server())
    number = device.send("message.send", message("a"))
    assert device.said == []
    assert device.connect() == [Ask(number, "message.send", message("a"))]


def test_on_a_new_line_what_was_missed_is_asked_before_commands_are_repeated() -> None:
    server = Server()
    server.say("alice", "bob", "hi")
    device = Device(server).come()
    device.send("message.send", message("a"))
    device.lose()
    assert [event for event, _ in events(device.connect())] == ["sync", "message.send"]


@pytest.mark.parametrize("answer", [DONE, REFUSED], ids=["done", "refused"])
def test_an_answer_that_is_not_temporary_settles_a_command_once_and_for_all(answer: Object) -> None:
    device = online()
    number = device.send("message.send", message("a"))
    assert device.answer(answer) == [Settled(number, answer)]
    assert device.retry() == []
    assert device.take(device.replica.answered(number, answer)) == []
    device.lose()
    assert device.connect() == []


def test_temporary_failure_is_repeated_after_the_wait_with_the_same_number_and_key() -> None:
    device = online()
    number = device.send("message.send", message("a"))
    assert device.answer(UNAVAILABLE) == [Wait(100)]
    assert device.retry() == [Ask(number, "message.send", message("a"))]


def test_waits_grow_to_5_s_and_begin_small_again_after_a_success() -> None:
    device = online()
    device.send("message.send", message("a"))
    for _ in range(8):
        device.answer(UNAVAILABLE)
        device.retry()
    assert device.waits == [100, 200, 400, 800, 1600, 3200, 5000, 5000]
    device.answer(DONE)
    device.send("message.send", message("b"))
    assert device.answer(UNAVAILABLE) == [Wait(100)]


def test_waits_begin_small_again_on_a_new_line() -> None:
    device = online()
    device.send("message.send", message("a"))
    device.answer(UNAVAILABLE)
    device.lose()
    device.connect()
    assert device.answer(UNAVAILABLE) == [Wait(100)]


def test_a_wait_is_as_long_as_the_server_asks_for() -> None:
    device = online()
    device.send("message.send", message("a"))
    assert device.answer(LIMITED) == [Wait(7_000)]


def test_what_fails_during_a_wait_makes_no_second_one() -> None:
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
def test_no_command_overtakes_one_to_its_room_that_waits_to_be_repeated(
    first: dict[str, str], second: dict[str, str]
) -> None:
    device = online()
    device.send("message.send", message("a", **first))
    device.answer(UNAVAILABLE)
    device.send("message.send", message("b", **second))
    device.send("message.send", message("elsewhere", room="q"))
    assert keys(device) == ["elsewhere"]
    device.retry()
    assert keys(device) == ["elsewhere", "a", "b"]


def test_what_goes_to_no_room_waits_for_nobody() -> None:
    device = online()
    device.send("room.create", message("a", title="t"))
    device.answer(UNAVAILABLE)
    device.send("room.create", message("b", title="t"))
    assert keys(device) == ["b"]


def test_what_has_no_key_is_not_repeated() -> None:
    """Neither after a failure nor after a break: whether it was done is not known."""
    device = online()
    number = device.send("mark", {"room": "r", "read": 1})
    assert device.answer(UNAVAILABLE) == [Settled(number, UNAVAILABLE)]
    number = device.send("mark", {"room": "r", "read": 1})
    assert device.lose() == [Settled(number, None)]
    assert device.connect() == []


def test_what_has_no_key_and_was_never_sent_is_not_lost_with_the_line() -> None:
    device = Device(Server())
    device.send("mark", {"room": "r", "read": 1})
    assert device.lose() == []
    assert kinds(device.connect()) == [Ask]


def test_a_number_that_nobody_asked_under_is_ignored() -> None:
    assert online().replica.answered(99, DONE) == []


def test_without_a_line_nothing_goes_out_even_when_a_wait_ends() -> None:
    device = online()
    device.send("message.send", message("a"))
    device.answer(UNAVAILABLE)
    device.lose()
    assert device.retry() == []
    assert [event for event, _ in events(device.connect())] == ["message.send"]


class Unsteady:
    """A server that carries out what it gets in order, or fails it with all that it has of that room.

    ``log`` has what it did, each key once; ``tries`` what it was asked under each number.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.log: list[tuple[str, str]] = []
        self.tries: dict[int, list[Object]] = {}

    def _does(self, ask: Ask) -> None:
        self.tries.setdefault(ask.number, []).append(ask.data)
        done = (ask.data["room"], ask.data["key"])
        if done not in self.log:
            self.log.append(done)

    def do(self) -> None:
        if self._device.asked:
            self._does(self._device.asked[0])
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
        """The line breaks: some of what it carried is still done, and the answers are lost."""
        for ask in self._device.asked[:done]:
            self._does(ask)
        self._device.lose()
        self._device.connect()


sends = st.tuples(st.just("send"), st.sampled_from("rq"))
answers = st.tuples(st.sampled_from(["do", "fail", "retry"]), st.none())
breaks = st.tuples(st.just("leave"), st.integers(0, 4))


@given(many(sends, answers, breaks))
def test_whatever_fails_each_room_has_each_command_once_in_its_order(
    taken: list[tuple[str, str | int | None]],
) -> None:
    device = online()
    server = Unsteady(device)
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
        assert [done for done in server.log if done[0] == room] == [one for one in given if one[0] == room]
    assert [one.answer for one in settled(device)] == [DONE] * len(given)
    assert all(data == tries[0] for tries in server.tries.values() for data in tries)
