"""Who exists, and what they are called."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from attrs import frozen

from ..ids import UserId


@frozen(kw_only=True)
class Profile:
    """What a host tells of one of its users."""

    name: str | None = None


UserDirectory: TypeAlias = Callable[[Collection[UserId]], Awaitable[Mapping[UserId, Profile]]]
"""Gives the profiles of those of the users who exist. Without one, every valid user id exists."""
