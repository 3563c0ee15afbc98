"""Tools for tests of hosts, transports and stores. The contract suites need the extra `testing`; the rest does not."""

from pkgutil import iter_modules
from typing import TYPE_CHECKING

try:
    import pytest

    for _module in iter_modules(__path__, f"{__name__}."):
        if not _module.ispkg:
            pytest.register_assert_rewrite(_module.name)

    from .account_store import AccountStoreContract as AccountStoreContract
    from .blocks import BlocksContract as BlocksContract
    from .bus import BusContract as BusContract
    from .entry_feed import EntryFeedContract as EntryFeedContract
    from .entry_log import EntryLogContract as EntryLogContract
    from .markers import MarkersContract as MarkersContract
    from .rate_limiter import RateLimiterContract as RateLimiterContract
    from .rate_limiter import RateLimiters as RateLimiters
    from .registry import SocketRegistryContract as SocketRegistryContract
    from .room_histories import HistoriesContract as HistoriesContract
    from .room_views import RoomViewsContract as RoomViewsContract
    from .store import StoreContract as StoreContract
    from .store import Stores as Stores
    from .whole_store import WholeStoreContract as WholeStoreContract
except ModuleNotFoundError as _error:
    if _error.name not in ("hypothesis", "pytest"):
        raise
    _missing = _error.name
    if not TYPE_CHECKING:

        def __getattr__(name: str) -> object:
            if name.endswith("Contract") or name in ("RateLimiters", "Stores"):
                raise ModuleNotFoundError(
                    f"{__name__}.{name} needs {_missing}; in a clone of chatcore: pip install '.[testing]'",
                    name=_missing,
                )
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


from . import builders as builders
from .clock import VirtualTimeLoop as VirtualTimeLoop
from .clock import virtual_time as virtual_time
from .recorder import Recorder as Recorder
