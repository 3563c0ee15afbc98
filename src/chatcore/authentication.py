"""Asks a host who a client is, within a deadline, and contains the host's exceptions."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final, TypeVar

import anyio
from attrs import evolve

from .errors import ChatError, Unauthenticated, Unavailable
from .fault_log import reason
from .ids import USER_MAX, UserId, is_user_id
from .log_throttle import LogThrottle
from .ports.authenticator import Principal

AUTHENTICATE_S = 2
"""Seconds that a host has to authenticate a client."""

UNAVAILABLE = "Users can't be authenticated now; try again later."

Shown = TypeVar("Shown")
log: Final = logging.getLogger(__name__)


class Authentication:
    """Returns principals whose users have their canonical spelling.

    Args:
        canonical: returns the canonical spelling of a user id, or None for an id that no user can have.
    """

    def __init__(self, canonical: Callable[[UserId], UserId | None]) -> None:
        self._canonical = canonical
        self._throttle = LogThrottle()

    async def principal(self, authenticate: Callable[[Shown], Awaitable[Principal | None]], shown: Shown) -> Principal:
        """Return the principal of the credentials, or of the token, that a client has shown.

        Raises:
            Unauthenticated: ``authenticate`` returned None.
            Unavailable: ``authenticate`` took longer than `AUTHENTICATE_S`, raised an exception, or returned something
                else. The log says what to do, at most once a minute for each fault.
            ChatError: any other `ChatError` that ``authenticate`` raised.
        """
        try:
            with anyio.move_on_after(AUTHENTICATE_S):
                asked: Any = authenticate(shown)
                if isawaitable(asked):
                    return self._checked(await asked)
                self._log("authenticate is not async", "write `async def authenticate(credentials)`")
                raise Unavailable(UNAVAILABLE)
            self._log(f"authenticate took more than {AUTHENTICATE_S} s", "answer sooner, or raise Unavailable")
        except ChatError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the host's code raises
            self._log_exception(error)
        raise Unavailable(UNAVAILABLE)

    def _checked(self, principal: object) -> Principal:
        if principal is None:
            raise Unauthenticated
        if isinstance(principal, Principal):
            return self._canonical_principal(principal)
        returned = type(principal).__name__
        self._log(f"authenticate returned {returned}", "return Principal(user), or None for wrong credentials")
        raise Unavailable(UNAVAILABLE)

    def _canonical_principal(self, principal: Principal) -> Principal:
        user = self._canonical(principal.user)
        if user is None or not is_user_id(user):
            self._log(
                f"authenticate returned the user {principal.user[:64]!a}",
                f"a user id has 1 to {USER_MAX} characters, no control characters, and `canonical` knows it",
            )
            raise Unauthenticated
        return principal if user == principal.user else evolve(principal, user=user)

    def _log(self, fault: str, remedy: str) -> None:
        if self._throttle.admits(fault):
            log.error("authentication failed: reason=%s remedy=%s", fault, remedy)

    def _log_exception(self, error: Exception) -> None:
        name = type(error).__name__
        if self._throttle.admits(name):
            log.error("authentication failed: reason=%s: %s", name, reason(error), exc_info=error)
