"""chatcore's stores in one SQLite file."""

from .database import Database as Database
from .store import SqliteStore as SqliteStore
