"""Asks a host who a client is, within a deadline, and contains the host's exceptions."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final, TypeVar

import anyio
from attrs import evolve

from .errors import ChatError, Unauthenticated, Unavailable
from .ids import UserId, is_user_id
from .log_throttle import LogThrottle
from .ports.authenticator import Principal

AUTHENTICATE_S = 2
"""Seconds that a host has to authenticate a client."""

NOT_ASYNC = object()

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
                else. The log says what, at most once a minute for each fault.
            ChatError: any other `ChatError` that ``authenticate`` raised.
        """
        try:
            with anyio.fail_after(AUTHENTICATE_S):
                asked: Any = authenticate(shown)
                principal: Any = await asked if isawaitable(asked) else NOT_ASYNC
        except ChatError:
            raise
        except TimeoutError as error:
            self._log(f"no answer within {AUTHENTICATE_S} s", error)
        except Exception as error:  # noqa: BLE001  # whatever the host's code raises
            self._log(type(error).__name__, error)
        else:
            if principal is None:
                raise Unauthenticated
            if isinstance(principal, Principal):
                return self._canonical_principal(principal)
            if principal is NOT_ASYNC:
                self._log("authenticate is not an async function")
            else:
                self._log(f"authenticate returned {type(principal).__name__}, neither a Principal nor None")
        raise Unavailable

    def _canonical_principal(self, principal: Principal) -> Principal:
        user = self._canonical(principal.user)
        if user is None or not is_user_id(user):
            self._log(f"authenticate returned an invalid user: {principal.user[:64]!a}")
            raise Unauthenticated
        return principal if user == principal.user else evolve(principal, user=user)

    def _log(self, reason: str, error: Exception | None = None) -> None:
        if self._throttle.admits(reason):
            log.error("authentication failed: reason=%s", reason, exc_info=error)
