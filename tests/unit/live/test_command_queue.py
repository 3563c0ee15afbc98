"""The queue of a room's pending commands, and their deadlines."""

from chatcore import SendMessage
from chatcore.domain.decider import AppendCommand, Facts
from chatcore.domain.idempotency import CommandDone, Outcome
from chatcore.errors import ChatError, Invalid, Unavailable
from chatcore.live.command_queue import CommandQueue, PendingCommand
from chatcore.live.in_flight import InFlight
from chatcore.live.live_sockets import LiveSocket
from chatcore.testing import Recorder
from chatcore.testing.builders import message

HI = SendMessage(to="alice", body="hi", key="not in the digest")
REFUSED = Invalid("refused")


def pending(
    name: str,
    deadline: float,
    outcomes: dict[str, Outcome],
    socket: LiveSocket | None = None,
    command: AppendCommand | ChatError = REFUSED,
) -> PendingCommand:
    return PendingCommand(
        user="bob",
        key=name,
        command=command,
        reply=lambda outcome: outcomes.update({name: outcome}),
        deadline=deadline,
        in_flight=InFlight(),
        socket=socket,
    )


def test_commands_expire_at_their_deadlines_even_when_checked_late() -> None:
    queue, outcomes = CommandQueue(), dict[str, Outcome]()
    for name, deadline in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        queue.append(pending(name, deadline, outcomes))
    assert queue.expire(0.5) == 1.0
    assert outcomes == {}
    assert queue.expire(1.5) == 2.0
    assert [*outcomes] == ["a"]
    assert queue.expire(9.0) is None
    assert [*outcomes] == ["a", "b", "c"]
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes.values())
    assert queue.expire(9.0) is None


def test_queue_has_commands_of_a_socket_until_the_last_is_answered() -> None:
    queue, socket = CommandQueue(), LiveSocket(Recorder(), "bob", InFlight())
    commands = [pending(name, 1.0, {}, socket) for name in ("a", "b")]
    for command in commands:
        queue.append(command)
    for command in commands:
        assert queue.has_from(socket)
        queue.finish(command, Invalid("refused"))
    assert not queue.has_from(socket)


def test_queue_of_commands_with_one_key_is_empty_when_all_are_answered() -> None:
    queue = CommandQueue()
    commands = [pending("a", 1.0, {}) for _ in range(2)]
    for command in commands:
        queue.append(command)
    for command in commands:
        assert queue
        queue.finish(command, Invalid("refused"))
    assert not queue


def test_entry_answers_every_command_with_its_key_and_no_other() -> None:
    queue, outcomes = CommandQueue(), [dict[str, Outcome]() for _ in range(4)]
    for key, answers in zip("acbb", outcomes, strict=True):
        queue.append(pending(key, 1.0, answers, command=HI))
    entry = message(author="bob", key="b", digest=HI.digest)
    queue.finish_by_key(entry)
    expected = CommandDone(entry, duplicate=True)
    assert outcomes == [{}, {}, {"b": expected}, {"b": expected}]


def test_change_of_a_message_drops_earlier_facts_of_that_message_only() -> None:
    queue = CommandQueue()
    reads = [(-1, 4), (0, 4), (0, 5), (1, 4)]
    facts = [Facts(target=message(seq=1_000 + target), as_of=1_000 + as_of) for target, as_of in reads]
    commands = [pending(str(number), 1.0, {}) for number in range(4)]
    for command, known in zip(commands, facts, strict=True):
        command.facts = known
        queue.append(command)
    queue.forget(1_000, changed_at=1_005)
    assert [command.facts for command in commands] == [facts[0], Facts(), facts[2], facts[3]]
