"""A set of public keys (JWKS, RFC 7517, section 5) behind an address, fetched in a thread and cached."""

import ipaddress
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from http.client import HTTPResponse
from typing import IO, Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import urlsplit

import anyio
from anyio.lowlevel import current_token
from jwt import PyJWK

from chatcore.errors import Unavailable
from chatcore.fault_log import reason
from chatcore.log_throttle import LogThrottle

from .jwt_keys import public_key

KEYS_S = 3600
"""Seconds for which fetched keys are used at most."""
REFRESH_S = 1800
"""Age of the keys in seconds from which they are fetched again, while they are still used."""
ASK_S = 60
"""Seconds between the beginnings of two fetches while there are keys, whatever key ids clients send."""
RETRY_S = 1
"""Seconds from a failed fetch to the next one while there are no keys."""

FETCH_S = 1.5
"""Seconds that a fetch may take. An `Authenticator` answers within 2 s."""
WAIT_S = 1.7
"""Seconds after which a caller gives a fetch up that does not end, for example because a name is not resolved."""
ABANDON_S = 60
"""Seconds after which another fetch may begin beside one that does not end."""

RESPONSE_MAX = 262_144
"""Bytes of an answer. Keys with their certificates take a few KiB each."""

PublicKeys: TypeAlias = Mapping[tuple[str | None, str], PyJWK]
"""Public keys by key id and algorithm."""

_log = logging.getLogger(__name__)


class _Fetch:
    """One request for the set, which concurrent callers share."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.wakers: list[Callable[[], object]] = []


class JwkSet:
    """The public keys behind an address.

    Keys are used for an hour at most, and fetched again in the background after half an hour. A token with an unknown
    key id causes a fetch too, at most once a minute. Without keys a failed fetch is repeated after a second. Callers
    share a fetch, in any event loop; it goes on when they are cancelled.

    Args:
        url: see `checked_url`.
        algorithms: those that keys are used for, all asymmetric.
        clock: returns monotonic seconds.
    """

    def __init__(self, url: str, algorithms: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._place = url.partition("?")[0]  # a query may hold a secret
        self._algorithms = algorithms
        self._clock = clock
        self._throttle = LogThrottle(clock=clock)
        self._lock = threading.Lock()  # of everything below
        self._keys: PublicKeys = {}
        self._fetched_at = self._began_at = self._failed_at = float("-inf")
        self._error: Exception | None = None  # of the last fetch
        self._fetch: _Fetch | None = None  # the one that runs

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return the key with this id for this algorithm, or None if the set has none.

        Raises:
            Unavailable: the set had to be fetched, and could not be.
        """
        with self._lock:
            key = self._known(key_id, algorithm)
            if self._is_due(key is None):
                self._begin()
            fetch = self._fetch
            if key is not None:
                return key
            ended = anyio.Event()
            if fetch is not None:
                fetch.wakers.append(_waker(ended))
        if fetch is not None:
            with anyio.move_on_after(max(0.0, fetch.began_at + WAIT_S - self._clock())):
                await ended.wait()
        with self._lock:
            if self._fetch is fetch is not None:
                raise _unavailable(TimeoutError(f"there was no answer within {WAIT_S} s"))
            if self._error is not None:
                raise _unavailable(self._error)
            return self._known(key_id, algorithm)

    def _known(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        return self._keys.get((key_id, algorithm)) if self._are_valid() else None

    def _are_valid(self) -> bool:
        return self._clock() - self._fetched_at < KEYS_S

    def _is_due(self, is_unknown: bool) -> bool:
        """Return whether a fetch should begin now."""
        now = self._clock()
        if self._fetch is not None and now - self._fetch.began_at < ABANDON_S:
            return False
        if not self._are_valid():
            return now - self._failed_at >= RETRY_S
        return now - self._began_at >= ASK_S and (is_unknown or now - self._fetched_at >= REFRESH_S)

    def _begin(self) -> None:
        fetch = _Fetch(self._clock())
        # The thread is not one of AnyIO's: it outlives its caller and must not hold up the end of the event loop.
        threading.Thread(target=self._run, args=[fetch], name="chatcore-jwks", daemon=True).start()
        self._fetch, self._began_at = fetch, fetch.began_at

    def _run(self, fetch: _Fetch) -> None:
        try:
            keys, error = read_keys(_download(self._url), self._algorithms), None
        except Exception as caught:  # noqa: BLE001 - it is the callers': raised in `find`
            keys, error = {}, caught
        with self._lock:
            if fetch is not self._fetch:  # it took so long that another one has begun
                return
            had_failed = self._error is not None
            self._fetch, self._error = None, error
            if error is None:
                self._keys, self._fetched_at = keys, self._clock()
            else:
                self._failed_at = self._clock()
        self._report(error, had_failed)
        for wake in fetch.wakers:
            wake()

    def _report(self, error: Exception | None, had_failed: bool) -> None:
        if error is not None:
            if self._throttle.admits("failed"):
                _log.warning("JWKS could not be fetched: url=%s reason=%s", self._place, reason(error)[:200])
        elif had_failed:
            _log.warning("JWKS could be fetched again: url=%s", self._place)


def checked_url(url: str) -> str:
    """Return the address of a set. Raises ValueError if it is not https, and not on a loopback host."""
    if not _is_allowed(url):
        raise ValueError(
            "jwks_url must be an address such as https://login.example.com/jwks.json, without user name and password;"
            " http:// is for loopback hosts only."
        )
    return url


def read_keys(document: bytes, algorithms: Sequence[str]) -> PublicKeys:
    """Return the keys of a set that verify signatures with some of the algorithms. The first one of an id counts.

    Raises:
        ValueError: the document is no set, or has no such key.
    """
    try:
        content: Any = json.loads(document)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("keys"), list):
        raise ValueError("the answer is no JWK set, a JSON object with a list `keys`")
    keys: dict[tuple[str | None, str], PyJWK] = {}
    for jwk in content["keys"]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        key_id = jwk.get("kid")
        if key_id is not None and not isinstance(key_id, str):
            continue
        for algorithm in algorithms:
            try:
                keys.setdefault((key_id, algorithm), public_key(jwk, algorithm))
            except ValueError:  # a key of another type, which a set may have
                continue
    if not keys:
        raise ValueError(f"the JWK set has no key for {', '.join(algorithms)}")
    return keys


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: keys come from the host that was configured, and from no other one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def _download(url: str) -> bytes:
    """Return what is behind an address. Blocks for about `FETCH_S` at most while the name is resolved quickly."""
    deadline = time.monotonic() + FETCH_S
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy has another loopback
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "chatcore"})
    try:
        response: HTTPResponse
        with urllib.request.build_opener(*handlers).open(request, timeout=FETCH_S) as response:
            document = bytearray()
            while chunk := response.read1(65_536):
                document += chunk
                if len(document) > RESPONSE_MAX:
                    raise ValueError(f"the answer is larger than {RESPONSE_MAX} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the answer was not complete within {FETCH_S} s")
            return bytes(document)
    except HTTPError as error:
        error.close()
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST
        remedy = "; set jwks_url to the address that it redirects to" if is_redirect else ""
        raise ValueError(f"the answer has the status {error.code}{remedy}") from None


def _is_allowed(url: str) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a wrong port raises
    except ValueError:
        return False
    if not host or "@" in parts.netloc or " " in url or not (url.isascii() and url.isprintable()):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unavailable(cause: Exception) -> Unavailable:
    error = Unavailable("Access tokens cannot be checked at the moment; try again.")
    error.__cause__ = cause
    return error


def _waker(event: anyio.Event) -> Callable[[], object]:
    """Return a function that sets an event of the current event loop from a thread."""
    loop: Any = current_token().native_token  # an asyncio event loop or a trio token
    soon: Callable[..., object] = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended, and its callers with it
            soon(event.set)

    return wake
