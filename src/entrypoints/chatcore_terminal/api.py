"""What the commands ask a server over HTTP: accounts and sessions."""

import os
import socket
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from .display import safe
from .errors import TEMPORARY, USAGE, CommandError

ANSWER_S = 3.0
"""Seconds for an answer. A spent refresh token may be used again for 5 s, and a second attempt should come in time."""
PASSWORD_S = 30.0
"""Seconds for an answer to a password: its hash may have to wait for others."""


class Refused(CommandError):
    """The server refuses a request. The message is the server's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status: int = status
        self.code: str = code


class Busy(CommandError):
    """The server asks to try again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message, TEMPORARY)
        self.retry_after_s = retry_after_s


class Unreachable(CommandError):
    """The server does not answer. What it has carried out is unknown."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} does not answer ({why}).", TEMPORARY)


async def sign_up(url: str, user: str, password: str) -> None:
    await _request("POST", url, "/accounts", {"user": user, "password": password}, timeout_s=PASSWORD_S)


async def sign_in(url: str, user: str, password: str) -> Mapping[str, Any]:
    """Return the answer with the tokens of a new session."""
    return await _request("POST", url, "/sessions", {"user": user, "password": password}, timeout_s=PASSWORD_S)


async def refresh(url: str, refresh_token: str) -> Mapping[str, Any]:
    """Return the answer with the session's next tokens. The given refresh token is spent then."""
    return await _request("POST", url, "/sessions/refresh", {"refresh_token": refresh_token})


async def sign_out(url: str, access_token: str) -> None:
    await _request("DELETE", url, "/sessions/current", token=access_token)


async def _request(
    method: str,
    url: str,
    path: str,
    body: Mapping[str, str] | None = None,
    *,
    token: str | None = None,
    timeout_s: float = ANSWER_S,
) -> Mapping[str, Any]:
    """Return the answer's object, empty without a body. Raises `Refused`, `Busy` and `Unreachable`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with aiohttp.request(
            method,
            f"{url}/api/v1{path}",
            json=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(timeout_s),
            allow_redirects=False,  # a password is for the server that the user has named
        ) as response:
            return await _answer(url, response)
    except aiohttp.InvalidURL:
        raise CommandError(f"--url: {url} is no address of a server.", USAGE) from None
    except TimeoutError as error:
        raise Unreachable(url, f"no answer within {timeout_s:.0f} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(url, _reason(error)) from error


async def _answer(url: str, response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    if response.status == HTTPStatus.NO_CONTENT:
        return {}
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise CommandError(f"{url} answers {response.status}, and is no chatcore server; check --url.")
    if response.ok:
        return answer
    message = safe(str(answer.get("detail") or answer.get("title") or f"The server answers {response.status}."))
    if answer.get("temporary"):
        retry_after = response.headers.get("Retry-After", "")
        raise Busy(message, int(retry_after) if retry_after.isdecimal() else 1)
    raise Refused(response.status, str(answer.get("code", "")), message)


def _reason(error: Exception) -> str:
    """Return the operating system's words if there are any: those of aiohttp repeat host and port."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, socket.gaierror):
        return str(cause.strerror)
    if isinstance(cause, OSError) and cause.errno and not isinstance(cause, ssl.SSLError):
        return os.strerror(cause.errno)
    return safe(str(cause)) or type(error).__name__
