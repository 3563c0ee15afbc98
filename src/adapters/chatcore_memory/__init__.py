"""Adapters of chatcore's ports in the memory of one process."""

from .accounts import MemoryAccounts as MemoryAccounts
from .bus import MemoryBus as MemoryBus
from .registry import MemoryRegistry as MemoryRegistry
from .store import MemoryStore as MemoryStore
