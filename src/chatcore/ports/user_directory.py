"""The port that knows which users exist, and their profiles."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from attrs import frozen

from ..ids import UserId


@frozen(kw_only=True)
class Profile:
    """What a host shows of one of its users."""

    name: str | None = None


UserDirectory: TypeAlias = Callable[[Collection[UserId]], Awaitable[Mapping[UserId, Profile]]]
"""Returns the profiles of those users who exist. Without a user directory every valid user id exists."""
