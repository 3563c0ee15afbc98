"""Asks a host's user directory which users exist."""

import logging
from collections.abc import Collection

import anyio

from ..errors import ChatError, Unavailable
from ..ids import UserId
from ..ports.user_directory import UserDirectory

DIRECTORY_S = 2
"""Seconds that a host's user directory may take."""

log = logging.getLogger(__name__)


async def existing_users(directory: UserDirectory, users: Collection[UserId]) -> frozenset[UserId]:
    """Return the ``users`` who exist.

    Raises the `ChatError` of the directory, or `Unavailable` if it raises another exception or takes more than 2 s.
    """
    try:
        with anyio.fail_after(DIRECTORY_S):
            return frozenset(await directory(users)) & frozenset(users)
    except ChatError:
        raise
    except Exception as error:
        log.exception("user directory failed")
        raise Unavailable from error
