"""chatcore's stores in one SQLite file."""

from .accounts import SqliteAccounts as SqliteAccounts
from .database import Database as Database
from .store import SqliteStore as SqliteStore
