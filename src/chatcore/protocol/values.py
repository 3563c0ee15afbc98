"""The types of wire values."""

from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A JSON object as a plain dict."""


@lru_cache(256)  # an entry is pushed and acknowledged with one time, which it may share with others
def timestamp(at: datetime) -> str:
    """Return a UTC time in the format of RFC 3339, with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
