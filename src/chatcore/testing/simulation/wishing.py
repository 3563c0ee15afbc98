"""What a wish is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ...ids import UserId
from ...protocol import Object

if TYPE_CHECKING:
    from .workload import Workload

Wish: TypeAlias = tuple[str, Object]
"""A command's name and its object."""
Row: TypeAlias = Callable[["Workload", UserId], Object]
"""Makes up a command for a user."""
