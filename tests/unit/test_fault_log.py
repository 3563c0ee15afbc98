"""What an operator reads while a store fails."""

import pytest

from chatcore.errors import Unavailable
from chatcore.ports.fault_log import FaultLog


def test_a_fault_that_lasts_is_logged_every_ten_seconds_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    faults = FaultLog("the database", clock=lambda: now[0])
    fault = Unavailable()
    fault.__cause__ = OSError("it is full.")
    for second in range(25):
        now[0] = second
        faults.note(fault)
    assert len(caplog.messages) == 3
    assert caplog.messages[0].startswith("the database can't be used: it is full. Whoever")
