"""The commands that wait at a room, and when they expire."""

from chatcore.errors import Invalid, Unavailable
from chatcore.live.waiting import Outcome, Queue, Waiting


def waiting(name: str, deadline: float, outcomes: dict[str, Outcome], socket: object | None = None) -> Waiting:
    return Waiting(
        user="bob",
        key=name,
        command=Invalid("refused"),
        answer=lambda outcome: outcomes.update({name: outcome}),
        deadline=deadline,
        socket=socket,
    )


def test_commands_expire_at_their_deadlines_however_late_they_are_looked_at() -> None:
    queue, outcomes = Queue(), dict[str, Outcome]()
    for name, deadline in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        queue.append(waiting(name, deadline, outcomes))
    assert queue.expire(0.5) == 1.0
    assert outcomes == {}
    assert queue.expire(1.5) == 2.0
    assert [*outcomes] == ["a"]
    assert queue.expire(9.0) is None
    assert [*outcomes] == ["a", "b", "c"]
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes.values())
    assert queue.expire(9.0) is None


def test_queue_has_commands_of_a_socket_until_the_last_of_them_is_answered() -> None:
    queue, socket = Queue(), object()
    commands = [waiting(name, 1.0, {}, socket) for name in ("a", "b")]
    for command in commands:
        queue.append(command)
    for command in commands:
        assert queue.has_of(socket)
        queue.finish(command, Invalid("refused"))
    assert not queue.has_of(socket)


def test_queue_of_commands_with_one_key_is_empty_once_all_are_answered() -> None:
    queue = Queue()
    commands = [waiting("a", 1.0, {}) for _ in range(2)]
    for command in commands:
        queue.append(command)
    for command in commands:
        assert queue
        queue.finish(command, Invalid("refused"))
    assert not queue
