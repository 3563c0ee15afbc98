"""Syncing the files and folders that SQLite leaves unsynced."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Return once a file's content, or a folder's names, are on the disk. Raises `OSError`.

    Not for the database file: closing it ends the locks that SQLite's connections have on it.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
