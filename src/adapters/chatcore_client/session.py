"""Access tokens of the bundled accounts: signing in, signing up, refreshing."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp

from .errors import ClientError, SignedOut
from .transport import Object

TIMEOUT_S = 10.0
PASSWORD_TIMEOUT_S = 30.0
"""Seconds for an answer. The hash of a password may have to wait for its turn."""
USED_FRACTION = 0.9
"""The part of its life in which an access token is used."""
TEMPORARY_STATUS = {408, 429, *range(500, 600)}
WAITED_FOR = {429, 503}


class TokenFunction(Protocol):
    """Returns an access token. Raises `SignedOut` where the user has to sign in anew."""

    async def __call__(self, refused: str | None, /) -> str:
        """Return a token, another one than ``refused``, which the server has refused or is about to refuse."""
        raise NotImplementedError


class Accounts:
    """The HTTP API of the bundled accounts.

    Every method waits as the server says by 429 and 503, and raises `ClientError` for other refusals and where the
    server does not answer.

    Args:
        url: the address of the server, with the prefix of a chat that a host serves: `https://example.org/chat`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def sign_up(self, user: str, password: str) -> Object:
        """Create an account. Returns `{user}`, the normalised name."""
        return await self._post("/accounts", {"user": user, "password": password})

    async def sign_in(self, user: str, password: str, device: str | None = None) -> Object:
        """Start a session. Returns `{access_token, refresh_token, expires_in, user, device}`."""
        body = {"user": user, "password": password}
        return await self._post("/sessions", body if device is None else {**body, "device": device})

    async def refresh(self, refresh_token: str) -> Object:
        """Return new tokens for a refresh token, which is spent from now on."""
        return await self._post("/sessions/refresh", {"refresh_token": refresh_token})

    async def sign_out(self, access_token: str) -> None:
        """End the session."""
        headers = {"Authorization": f"Bearer {access_token}"}
        await self._request("DELETE", "/sessions/current", headers=headers, timeout_s=TIMEOUT_S)

    async def _post(self, path: str, body: Object) -> Object:
        timeout_s = PASSWORD_TIMEOUT_S if "password" in body else TIMEOUT_S
        answer = await self._request("POST", path, json=body, timeout_s=timeout_s)
        return answer or {}

    async def _request(
        self,
        method: str,
        path: str,
        *,
        json: Object | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float,
    ) -> Object | None:
        while True:
            try:
                async with aiohttp.request(
                    method,
                    f"{self._url}/api/v1{path}",
                    json=json,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(timeout_s),
                    allow_redirects=False,  # a password is for the server that the program has named
                ) as response:
                    status, retry_after = response.status, _seconds(response.headers.get("Retry-After"))
                    body = None if status == 204 else await response.json(content_type=None)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise ClientError(
                    {"code": "unavailable", "message": f"{self._url} does not answer.", "temporary": True}
                ) from error
            if 200 <= status < 300:
                return body if isinstance(body, dict) else None
            if status not in WAITED_FOR:
                raise ClientError(self._error(status, body))
            # up to as long again, so that clients spread that were refused together
            await asyncio.sleep(retry_after * random.uniform(1, 2))

    def _error(self, status: int, body: Any) -> Object:
        """Return the error object of a refusal, which is a problem details object."""
        temporary = status in TEMPORARY_STATUS
        match body:
            case {"code": str(code), "detail": str(detail)}:
                optional = {name: body[name] for name in ("field", "retry_after_ms") if name in body}
                return {"code": code, "message": detail, "temporary": temporary, **optional}
            case _:
                code, message = "unavailable" if temporary else "invalid", f"{self._url} answers {status}."
                return {"code": code, "message": message, "temporary": temporary}


class Session:
    """A token function: it signs in, reuses and refreshes tokens. Any number of clients may share it.

    Args:
        accounts: the accounts of the server.
        user, password: who signs in.
        sign_up: whether to create the account where a first sign-in is refused.
        device: the name of the device, shown in the list of the user's sockets.
        tokens: tokens that an earlier run has kept.
        keep: is called with new tokens, and with None when they are worth nothing any more.
    """

    def __init__(
        self,
        accounts: Accounts,
        user: str,
        password: str,
        *,
        sign_up: bool = False,
        device: str | None = None,
        tokens: Object | None = None,
        keep: Callable[[Object | None], object] | None = None,
    ) -> None:
        self._accounts = accounts
        self._user, self._password = user, password
        self._sign_up = sign_up
        self._device = device
        self._tokens = tokens
        self._keep = keep or (lambda _tokens: None)
        self._good_until = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self, refused: str | None = None, /) -> str:
        async with self._lock:
            if refused is not None and self._tokens and self._tokens["access_token"] == refused:
                self._good_until = 0.0
            if time.monotonic() >= self._good_until:
                await self._renew()
            assert self._tokens
            return str(self._tokens["access_token"])

    async def _renew(self) -> None:
        if self._tokens:
            try:
                self._take(await self._accounts.refresh(self._tokens["refresh_token"]))
            except ClientError as error:
                if error.temporary:
                    raise
                self._tokens = None
                self._keep(None)
            else:
                return
        try:
            self._take(await self._sign_in())
        except ClientError as error:
            if error.temporary:
                raise
            raise SignedOut(error.error) from error

    async def _sign_in(self) -> Object:
        try:
            return await self._accounts.sign_in(self._user, self._password, self._device)
        except ClientError as error:
            if error.code != "unauthenticated" or not self._sign_up:
                raise
        self._sign_up = False
        try:
            await self._accounts.sign_up(self._user, self._password)
        except ClientError as error:
            if error.code != "conflict":  # the name is taken: the password may be wrong
                self._sign_up = error.temporary
                raise
        return await self._accounts.sign_in(self._user, self._password, self._device)

    def _take(self, tokens: Object) -> None:
        self._tokens = tokens
        self._good_until = time.monotonic() + tokens["expires_in"] * USED_FRACTION
        self._keep(tokens)


def session(
    url: str, user: str, password: str, *, sign_up: bool = False, device: str | None = None
) -> Callable[[str | None], Awaitable[str]]:
    """Return a token function for `connect`, of a user of the bundled accounts.

    It signs in with the password last, since password hashes are slow by design: it reuses an access token, then
    refreshes the session.

    Args:
        url: the address of the server, as for `connect`.
        user, password: who signs in.
        sign_up: whether to create the account where the first sign-in is refused.
        device: the name of the device, shown in the list of the user's sockets.
    """
    return Session(Accounts(url), user, password, sign_up=sign_up, device=device)


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 1.0
