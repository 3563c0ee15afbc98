"""The web origins that may use the server. One rule applies to Socket.IO and to HTTP (CORS)."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self

from attrs import field, frozen

from chatcore.domain.client_networks import client_network
from chatcore.errors import Forbidden
from chatcore.log_throttle import LogThrottle

from .requests import Request
from .responses import Response

SETTING = "CHATCORE_ORIGINS"
ARGUMENT = "origins="
NO_SETTING = "no setting can allow it"
METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "Authorization, Content-Type"
MAX_AGE_S = 600
LENGTH_MAX = 300
"""Characters of an origin. The name of a host has at most 253 (RFC 1035)."""

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

log: Final = logging.getLogger(__name__)


def normalised(text: str) -> str | None:
    """Return an origin (RFC 6454, section 6.2) in lower case, without a default port; None for anything else."""
    match = _ORIGIN.fullmatch(text.lower()) if len(text) <= LENGTH_MAX and text.isascii() else None
    if match is None:
        return None
    return f"{match[1]}://{match[2].removesuffix(_DEFAULT_PORTS.get(match[1], ' '))}"


def _parse_origin(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("is empty, or has an empty place; leave it unset to admit the server's own pages only")
    if "*" in text:
        raise ValueError("must name the origins: * would let every web page in")
    origin = normalised(text)
    if origin is None:
        raise ValueError("must hold origins such as https://chat.example:8443, without a path or a slash at the end")
    return origin


def _parsed_origins(origins: Iterable[str]) -> Collection[str]:
    if isinstance(origins, str):
        raise ValueError(f'Origins takes a list: Origins(["{origins}"])')
    try:
        return frozenset(map(_parse_origin, origins))
    except ValueError as error:
        raise ValueError(f"Origins(…) {error}") from None


@frozen(eq=False)
class Origins:
    """The origins that may use the server besides the server's own.

    A request without ``Origin`` does not come from a web page, and is admitted. Files and sandboxed frames send
    ``null``, which identifies no page and is refused.

    Attributes:
        allowed: origins such as ``https://chat.example:8443``.
        credentials: whether pages of the allowed origins may send cookies (``Access-Control-Allow-Credentials``).
            Pages of the same origin always do.
        setting: the setting that the origins come from; empty for an argument of the host. Refusals name it.

    Raises:
        ValueError: an origin is not valid.
    """

    allowed: Collection[str] = field(default=(), converter=_parsed_origins)
    credentials: bool = field(default=False, kw_only=True)
    setting: str = field(default="", kw_only=True)
    _throttle: LogThrottle = field(factory=LogThrottle, init=False, repr=False)

    @classmethod
    def parse(cls, setting: str | None) -> Self:
        """Parse `SETTING`: origins separated by commas; None if it is not set.

        Raises:
            ValueError: the setting is wrong. The message continues a sentence that begins with the setting's name.
        """
        origins = () if setting is None else map(_parse_origin, setting.split(","))
        return cls(frozenset(origins), credentials=True, setting=SETTING)

    @property
    def hosts(self) -> Collection[str]:
        """The hosts of the allowed origins, with their ports."""
        return [origin.partition("://")[2] for origin in self.allowed]

    def refusal(self, request: Request) -> Forbidden | None:
        """Return the error for a request from another origin; None for an admitted origin.

        The log says once a minute, for each client address, which setting would admit the origin. The error neither
        repeats the origin nor shows whether others are admitted.
        """
        origins = request.headers.getall("Origin")
        if not origins:
            return None
        origin = normalised(origins[0]) if len(origins) == 1 else None
        if origin is not None and (origin in self.allowed or _is_own(origin, request.headers.get("Host") or "")):
            return None
        if self._throttle.admits(client_network(request.remote)):
            remedy = f"To admit it, {self._remedy(origin)}" if origin else NO_SETTING.capitalize()
            log.warning("Origin refused: origin=%s. %s.", ascii(", ".join(origins)[:LENGTH_MAX]), remedy)
        see_log = f"the server's log says how to allow it with {self.setting or ARGUMENT}"
        return Forbidden(f"This origin is not allowed; {see_log if origin else NO_SETTING}.")

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return the headers of a response that let a page of an admitted origin read it (CORS)."""
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Allow, Retry-After, WWW-Authenticate",
        }
        # The origin's scheme is compared for listed origins only: a page over http is not the site over https.
        if self.credentials and normalised(origin) in self.allowed:
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers

    def _remedy(self, origin: str) -> str:
        if self.setting:
            return f"add {origin} to {self.setting}" if self.allowed else f"set {self.setting}={origin}"
        others = "…, " if self.allowed else ""
        return f'pass {ARGUMENT}Origins([{others}"{origin}"])'


def is_preflight(request: Request) -> bool:
    """Return whether the request is a CORS preflight (Fetch standard, "CORS-preflight request")."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def preflight() -> Response:
    """Return the response to a preflight from an admitted origin, without the headers of `Origins.headers`."""
    return Response(
        204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE_S),
        },
    )


def _is_own(origin: str, host: str) -> bool:
    """Return whether a page of ``origin`` came from this server, by host and port.

    The scheme is not compared: behind a proxy that ends TLS the server does not know it.
    """
    scheme, _, origin_host = origin.partition("://")
    return scheme in _DEFAULT_PORTS and origin_host == host.lower().removesuffix(_DEFAULT_PORTS[scheme])
