"""chatcore's stores in one SQLite file."""

from .database import Database as Database
