"""Values as the wire has them."""

from datetime import datetime
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A JSON object, not yet or no more in bytes."""


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
