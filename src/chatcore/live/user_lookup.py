"""Asks a host which users exist, for their profiles, and for users by the start of a name."""

import logging
from collections.abc import Callable, Collection, Mapping
from inspect import isawaitable
from itertools import islice
from typing import Any, Final

import anyio

from ..errors import ChatError, Unavailable
from ..fault_log import reason
from ..ids import UserId
from ..log_throttle import LogThrottle
from ..ports.user_directory import Profile, UserDirectory, UserSearch

DIRECTORY_S = 2
"""Seconds that a host's user directory may take."""
UNAVAILABLE = "Users can't be looked up now; repeat the command with the same key."

log: Final = logging.getLogger(__name__)


class HostCallback:
    """Calls a callback of the host that returns profiles of users, and contains its faults."""

    def __init__(self, name: str, signature: str) -> None:
        self._name = name
        self._signature = signature
        self._throttle = LogThrottle()

    async def _ask(
        self, call: Callable[[], object], users: Collection[UserId] | None = None
    ) -> Mapping[UserId, Profile]:
        """Return what the host returns, of ``users`` alone if they are given.

        Raises:
            Unavailable: the callback took longer than `DIRECTORY_S`, raised an exception, or returned something else.
                The log says what to do, at most once a minute for each fault.
            ChatError: any other `ChatError` that the callback raised.
        """
        try:
            with anyio.move_on_after(DIRECTORY_S):
                asked: Any = call()
                if isawaitable(asked):
                    return self._checked(await asked, users)
                self._log(f"the {self._name} is not async", f"write `async def {self._signature}`")
                raise Unavailable(UNAVAILABLE)
            self._log(f"the {self._name} took more than {DIRECTORY_S} s", "answer sooner, or raise Unavailable")
        except ChatError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the host's code raises
            self._log_exception(error)
        raise Unavailable(UNAVAILABLE)

    def _checked(self, answer: Any, users: Collection[UserId] | None) -> Mapping[UserId, Profile]:
        if isinstance(answer, Mapping):
            found = answer if users is None else {user: answer[user] for user in users if user in answer}
            other = next((type(profile) for profile in found.values() if not isinstance(profile, Profile)), None)
            if other is None:
                return found
            returned = f"a {other.__name__} for a user"
        else:
            returned = f"a {type(answer).__name__}"
        self._log(f"the {self._name} returned {returned}", "return {user: Profile()} with the users who exist")
        raise Unavailable(UNAVAILABLE)

    def _log(self, fault: str, remedy: str) -> None:
        if self._throttle.admits(fault):
            log.error("user %s failed: reason=%s remedy=%s", self._name, fault, remedy)

    def _log_exception(self, error: Exception) -> None:
        name = type(error).__name__
        if self._throttle.admits(name):
            log.error("user %s failed: reason=%s: %s", self._name, name, reason(error), exc_info=error)


class UserLookup(HostCallback):
    """A `UserDirectory` that asks the directory of a host."""

    def __init__(self, directory: UserDirectory) -> None:
        super().__init__("directory", "directory(users)")
        self._directory = directory

    async def __call__(self, users: Collection[UserId]) -> Mapping[UserId, Profile]:
        """Return the profiles of those ``users`` who exist, in their order; see `HostCallback`.

        Other users in the answer of the directory are ignored.
        """
        return await self._ask(lambda: self._directory(users), users)


class UserFinder(HostCallback):
    """A `UserSearch` that asks the search of a host."""

    def __init__(self, search: UserSearch) -> None:
        super().__init__("search", "people(prefix, limit)")
        self._search = search

    async def __call__(self, prefix: str, limit: int) -> Mapping[UserId, Profile]:
        """Return users whose id or name begins with ``prefix``, at most ``limit``; see `HostCallback`."""
        found = await self._ask(lambda: self._search(prefix, limit))
        return dict(islice(found.items(), limit))
