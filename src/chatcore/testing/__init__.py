"""What tests of a host, of a transport and of a store stand on. The only place in chatcore that needs pytest."""

import pytest

for _suite in ("account_store", "bus", "markers", "registry", "room_log", "rooms"):
    pytest.register_assert_rewrite(f"{__name__}.{_suite}")

from .clock import VirtualTimeLoop as VirtualTimeLoop  # noqa: E402
from .clock import virtual_time as virtual_time  # noqa: E402
from .recorder import Recorder as Recorder  # noqa: E402
