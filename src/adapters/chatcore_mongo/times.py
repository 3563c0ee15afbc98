"""The server's times of entries, as numbers that can be compared: 32 bits of seconds, and 32 that count within one."""

from typing import TypeAlias

from bson import Timestamp

from .documents import Document

Time: TypeAlias = int

SECOND: Time = 1 << 32


def time_of(document: Document) -> Time:
    found: Timestamp = document["ts"]
    return found.time << 32 | found.inc


def second_of(time: Time) -> int:
    return time >> 32


def timestamp(time: Time) -> Timestamp:
    return Timestamp(time >> 32, time & 0xFFFF_FFFF)
