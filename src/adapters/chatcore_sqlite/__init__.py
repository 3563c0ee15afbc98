"""chatcore's stores in one SQLite file."""

from .accounts import SqliteAccounts as SqliteAccounts
from .database import SqliteDatabase as SqliteDatabase
from .store import SqliteStore as SqliteStore
