"""Which users exist, asked of a host's user directory, which may hang or fail."""

import logging
from collections.abc import Collection

import anyio

from ..errors import ChatError, Unavailable
from ..ids import UserId
from ..ports.user_directory import UserDirectory

DIRECTORY_S = 2
"""How long a host's directory may take."""

log = logging.getLogger(__name__)


async def existing(directory: UserDirectory, users: Collection[UserId]) -> frozenset[UserId]:
    """Return those of the users who exist.

    Raises `ChatError`: that of the directory, or `Unavailable` where it fails otherwise or takes more than 2 s.
    """
    try:
        with anyio.fail_after(DIRECTORY_S):
            return frozenset(await directory(users)) & frozenset(users)
    except ChatError:
        raise
    except Exception as error:
        log.exception("the directory failed")
        raise Unavailable from error
