"""Asks a host's user directory which users exist, and for their profiles."""

import logging
from collections.abc import Collection, Mapping
from inspect import isawaitable
from typing import Any, Final

import anyio

from ..errors import ChatError, Unavailable
from ..fault_log import reason
from ..ids import UserId
from ..log_throttle import LogThrottle
from ..ports.user_directory import Profile, UserDirectory

DIRECTORY_S = 2
"""Seconds that a host's user directory may take."""
UNAVAILABLE = "Users can't be looked up now; repeat the command with the same key."

log: Final = logging.getLogger(__name__)


class UserLookup:
    """A `UserDirectory` that asks the directory of a host, and contains its faults."""

    def __init__(self, directory: UserDirectory) -> None:
        self._directory = directory
        self._throttle = LogThrottle()

    async def __call__(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """Return the profiles of those ``users`` who exist, in their order.

        Other users in the answer of the directory are ignored.

        Raises:
            Unavailable: the directory took longer than `DIRECTORY_S`, raised an exception, or returned something else.
                The log says what to do, at most once a minute for each fault.
            ChatError: any other `ChatError` that the directory raised.
        """
        try:
            with anyio.move_on_after(DIRECTORY_S):
                asked: Any = self._directory(users)
                if isawaitable(asked):
                    return self._checked(users, await asked)
                self._log("the directory is not async", "write `async def directory(users)`")
                raise Unavailable(UNAVAILABLE)
            self._log(f"the directory took more than {DIRECTORY_S} s", "answer sooner, or raise Unavailable")
        except ChatError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the host's code raises
            self._log_exception(error)
        raise Unavailable(UNAVAILABLE)

    def _checked(self, users: Collection[UserId], answer: Any) -> Mapping[UserId, Profile]:
        if isinstance(answer, Mapping):
            found = {user: answer[user] for user in users if user in answer}
            other = next((type(profile) for profile in found.values() if not isinstance(profile, Profile)), None)
            if other is None:
                return found
            returned = f"a {other.__name__} for a user"
        else:
            returned = f"a {type(answer).__name__}"
        self._log(f"the directory returned {returned}", "return {user: Profile()} with the users who exist")
        raise Unavailable(UNAVAILABLE)

    def _log(self, fault: str, remedy: str) -> None:
        if self._throttle.admits(fault):
            log.error("user directory failed: reason=%s remedy=%s", fault, remedy)

    def _log_exception(self, error: Exception) -> None:
        name = type(error).__name__
        if self._throttle.admits(name):
            log.error("user directory failed: reason=%s: %s", name, reason(error), exc_info=error)
