"""The server's times of entries, as numbers that can be compared."""

from bson import Timestamp

from .documents import Document

SECOND = 1 << 32
"""A second as a number: a BSON timestamp is 32 bits of seconds and a 32 bit counter within the second."""


def time_of(document: Document) -> int:
    """Return the server's time of an entry."""
    ts: Timestamp = document["ts"]
    return ts.time * SECOND + ts.inc


def timestamp(time: int) -> Timestamp:
    """Return the BSON timestamp of a time."""
    return Timestamp(*divmod(time, SECOND))
