"""Which web pages may use the server: one rule for the socket and for HTTP (CORS)."""

import logging
import re
from collections.abc import Collection, Mapping
from typing import Self

from aiohttp import hdrs, web
from attrs import field, frozen

from chatcore.domain.addresses import client_network
from chatcore.errors import Forbidden
from chatcore.ports.log_throttle import LogThrottle

SETTING = "CHATCORE_ORIGINS"
ASK_THE_LOG = f"the server's log says how to allow it with {SETTING}"
NOTHING = "no setting can allow it"
METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "Authorization, Content-Type"
MAX_AGE_S = 600
SHOWN_MAX = 300
"""Characters of an origin that are logged; a host's name has at most 253."""

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

log = logging.getLogger(__name__)


@frozen(eq=False)
class Origins:
    """The origins whose pages may use the server, besides the server's own.

    A request without ``Origin`` comes from no page, and passes. ``null`` is what files and sandboxed frames send: it
    names nobody, and is refused.
    """

    allowed: Collection[str] = frozenset()
    _throttle: LogThrottle = field(factory=LogThrottle, init=False, repr=False)

    @classmethod
    def parse(cls, setting: str | None) -> Self:
        """What `SETTING` means: origins separated by commas, or None when it is not set.

        Raises ValueError; its text goes on after the setting's name.
        """
        return cls() if setting is None else cls(frozenset(map(_listed, setting.split(","))))

    @property
    def hosts(self) -> Collection[str]:
        """The hosts of the allowed origins, with their ports."""
        return [origin.partition("://")[2] for origin in self.allowed]

    def refusal(self, request: web.BaseRequest) -> Forbidden | None:
        """None where the request may be answered.

        The log says what would admit the origin, once a minute for each address; the client is not told its own
        origin, nor whether others are admitted.
        """
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if not origins:
            return None
        origin = normalised(origins[0]) if len(origins) == 1 else None
        if origin is not None and (origin in self.allowed or _is_own(origin, request.headers.get(hdrs.HOST, ""))):
            return None
        if self._throttle.admits(client_network(request.remote)):
            remedy = f"{self._remedy(origin)} to admit it" if origin else NOTHING
            log.warning("Refused the origin %s: %s.", ascii(", ".join(origins)[:SHOWN_MAX]), remedy)
        return Forbidden(f"This origin is not allowed; {ASK_THE_LOG if origin else NOTHING}.")

    def headers(self, request: web.BaseRequest) -> Mapping[str, str]:
        """What an answer carries so that a page of an admitted origin may read it."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return {}
        return {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "Allow, Retry-After, WWW-Authenticate",
        }

    def _remedy(self, origin: str) -> str:
        return f"add {origin} to {SETTING}" if self.allowed else f"set {SETTING}={origin}"


def is_preflight(request: web.BaseRequest) -> bool:
    """Whether a browser asks whether a page may send a request (Fetch, "CORS-preflight request")."""
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


def preflight() -> web.Response:
    """The answer to a preflight of an admitted origin, without what `Origins.headers` adds."""
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: str(MAX_AGE_S),
        },
    )


def normalised(text: str) -> str | None:
    """An origin (RFC 6454, 6.2) in lower case and without its scheme's default port; None for anything else."""
    found = _ORIGIN.fullmatch(text.lower()) if len(text) <= SHOWN_MAX and text.isascii() else None
    if found is None:
        return None
    return f"{found[1]}://{found[2].removesuffix(_DEFAULT_PORTS.get(found[1], ' '))}"


def _is_own(origin: str, host: str) -> bool:
    """Whether the page came from here. Behind a proxy that ends TLS only host and port are known for certain."""
    scheme, _, own = origin.partition("://")
    return scheme in _DEFAULT_PORTS and own == host.lower().removesuffix(_DEFAULT_PORTS[scheme])


def _listed(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("is empty, or has an empty place; leave it unset to admit the server's own pages only")
    if "*" in text:
        raise ValueError("must name the origins: * would let every web page in")
    origin = normalised(text)
    if origin is None:
        raise ValueError("must hold origins such as https://chat.example:8443, without a path or a slash at the end")
    return origin
