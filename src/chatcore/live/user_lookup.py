"""Asks a host's user directory which users exist, and for their profiles."""

import logging
from collections.abc import Collection, Mapping
from typing import Final

import anyio

from ..errors import ChatError, Unavailable
from ..ids import UserId
from ..ports.user_directory import Profile, UserDirectory

DIRECTORY_S = 2
"""Seconds that a host's user directory may take."""

log: Final = logging.getLogger(__name__)


async def existing_users(directory: UserDirectory, users: Collection[UserId]) -> frozenset[UserId]:
    """Return the ``users`` who exist; see `profiles_of`."""
    return frozenset(await profiles_of(directory, users))


async def profiles_of(directory: UserDirectory, users: Collection[UserId]) -> Mapping[UserId, Profile]:
    """Return the profiles of those ``users`` who exist, in their order.

    Other users in the answer of the directory are ignored.

    Raises the `ChatError` of the directory, or `Unavailable` if it raises another exception or takes more than 2 s.
    """
    try:
        with anyio.fail_after(DIRECTORY_S):
            found = await directory(users)
            return {user: found[user] for user in users if user in found}
    except ChatError:
        raise
    except Exception as error:
        log.exception("user directory failed")
        raise Unavailable from error
