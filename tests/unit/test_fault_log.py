"""The log lines of a failing store."""

import logging

import pytest

from chatcore.errors import Unavailable
from chatcore.fault_log import FaultLog, reason

from .accounts_node import Clock


def unavailable(cause: BaseException | None = None) -> Unavailable:
    fault = Unavailable()
    fault.__cause__ = cause
    return fault


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def faults(clock: Clock) -> FaultLog:
    return FaultLog("the database", "read", clock)


def test_lasting_fault_is_logged_every_10_s_with_its_cause(
    faults: FaultLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(25):
        faults.note(unavailable(OSError("it is full.")))
        clock.tick(1)
    assert (
        caplog.messages == ["the database can't be read: it is full. Calls fail with `unavailable` until it can."] * 3
    )


def test_end_of_a_fault_is_logged_once_with_duration_and_failures(
    faults: FaultLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    faults.succeeded()
    for _ in range(4):
        faults.note(unavailable(OSError("it is full")))
        clock.tick(1.5)
    for _ in range(3):
        faults.succeeded()
        clock.tick(1)
    assert caplog.messages[1:] == ["the database can be read again after 6.0 s; failed calls: 4."]


def test_fault_does_not_end_while_calls_fail_and_succeed_alternately(
    faults: FaultLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(30):
        faults.note(unavailable(OSError("it is full")))
        clock.tick(0.1)
        faults.succeeded()
    assert len(caplog.messages) == 1


def test_end_of_a_fault_that_was_not_logged_is_not_logged(
    faults: FaultLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # two short faults within 10 s
        faults.note(unavailable(OSError("it is full")))
        clock.tick(2)
        faults.succeeded()
    assert len(caplog.messages) == 2


def test_fault_passing_several_calls_counts_once(
    faults: FaultLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fault = unavailable(OSError("it is full"))
    faults.note(fault)
    faults.note(fault)
    clock.tick(2)
    faults.succeeded()
    assert caplog.messages[-1].endswith("; failed calls: 1.")


def test_reason_of_a_cause_without_text_is_its_type_and_place() -> None:
    def hang() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError) as raised:
        hang()
    assert reason(unavailable(raised.value)).startswith("TimeoutError in hang, test_fault_log.py:")
    assert reason(unavailable(TimeoutError())) == "TimeoutError"


def test_reason_is_one_line_and_the_error_itself_without_a_cause() -> None:
    assert reason(unavailable(OSError("first\nsecond"))) == "first second"
    assert reason(Unavailable("It is closed.")) == "It is closed"


def test_fault_log_does_not_log_successes(faults: FaultLog, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        faults.succeeded()
    assert not caplog.messages
