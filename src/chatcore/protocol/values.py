"""The types of wire values."""

from datetime import datetime
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A JSON object as a plain dict."""


def timestamp(at: datetime) -> str:
    """Return a UTC time in the format of RFC 3339, with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
