"""What tests of a host, of a transport and of a store stand on. The only place in chatcore that needs pytest."""

import pytest

for _suite in (
    "account_store",
    "bus",
    "log_append",
    "log_following",
    "log_membership",
    "log_present",
    "log_reading",
    "log_windows",
    "logs",
    "markers",
    "rate_limiter",
    "registry",
    "room_histories",
    "rooms",
    "store",
):
    pytest.register_assert_rewrite(f"{__name__}.{_suite}")

from . import builders as builders  # noqa: E402
from .account_store import AccountStoreContract as AccountStoreContract  # noqa: E402
from .bus import BusContract as BusContract  # noqa: E402
from .clock import VirtualTimeLoop as VirtualTimeLoop  # noqa: E402
from .clock import virtual_time as virtual_time  # noqa: E402
from .entry_log import EntryLogContract as EntryLogContract  # noqa: E402
from .markers import MarkersContract as MarkersContract  # noqa: E402
from .rate_limiter import RateLimiterContract as RateLimiterContract  # noqa: E402
from .rate_limiter import RateLimiters as RateLimiters  # noqa: E402
from .recorder import Recorder as Recorder  # noqa: E402
from .registry import SocketRegistryContract as SocketRegistryContract  # noqa: E402
from .room_histories import HistoriesContract as HistoriesContract  # noqa: E402
from .room_views import RoomViewsContract as RoomViewsContract  # noqa: E402
from .store import StoreContract as StoreContract  # noqa: E402
from .store import Stores as Stores  # noqa: E402
from .whole_store import WholeStoreContract as WholeStoreContract  # noqa: E402
