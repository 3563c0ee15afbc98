"""Which account a name means."""

from collections.abc import Callable
from typing import TypeAlias

from ...ids import UserId

Normaliser: TypeAlias = Callable[[str], UserId | None]
"""Gives the user id that a name stands for, the same for all its spellings, or None for a name that no account can
have. Pure, total over all strings, and idempotent: a user id stands for itself."""
