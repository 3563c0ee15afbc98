"""Everything chatcore needs, in this process's memory."""

from .accounts import MemoryAccounts as MemoryAccounts
from .bus import MemoryBus as MemoryBus
from .registry import MemoryRegistry as MemoryRegistry
from .store import MemoryStore as MemoryStore
