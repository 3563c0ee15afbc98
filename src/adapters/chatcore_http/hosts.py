"""The hosts that a server answers to.

They protect against DNS rebinding: the name of a foreign web page resolves to the server's address, so the page's
requests have an origin that looks like the server's own. Only the name in ``Host`` shows the difference.
"""

import ipaddress
import logging
import re
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Final, Self

from attrs import field, frozen

from chatcore.errors import Invalid
from chatcore.log_throttle import LogThrottle

from .problems import problem
from .requests import Request
from .responses import Response

SETTING = "CHATCORE_HOSTS"
ANY = "*"
LENGTH_MAX = 300
"""Characters of a host with its port. The name of a host has at most 253 (RFC 1035)."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]*)?")

log: Final = logging.getLogger(__name__)


@frozen(eq=False)
class Hosts:
    """The host names and addresses that requests may be for.

    Attributes:
        allowed: hosts in the form of `normalised`; None admits any host.
    """

    allowed: Collection[str] | None = None
    _throttle: LogThrottle = field(factory=LogThrottle, init=False, repr=False)

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Parse `SETTING`: hosts separated by commas, or `ANY`.

        Raises:
            ValueError: the setting is wrong. The message continues a sentence that begins with the setting's name.
        """
        return cls() if setting.strip() == ANY else cls(frozenset(map(_parse_host, setting.split(","))))

    @classmethod
    def default(cls, listening: Iterable[str], configured: Iterable[str]) -> Self:
        """Return the hosts of a server without the setting.

        On loopback addresses only, these are the names and addresses of loopback, ``listening`` and ``configured``;
        otherwise any host.

        Args:
            listening: the IP addresses that the server listens on.
            configured: further hosts in the server's configuration.
        """
        addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in listening]
        if not all(address.is_loopback for address in addresses):
            return cls()
        own = (f"[{address}]" if address.version == 6 else str(address) for address in addresses)
        hosts = map(normalised, (*LOOPBACK, *own, *configured))
        return cls(frozenset(host for host in hosts if host))

    def admits(self, request: Request) -> bool:
        """Return whether the request is for a host that the server answers to."""
        return self.allowed is None or requested_host(request) in self.allowed

    def refusal(self, request: Request) -> Response | None:
        """Return the response to a request for another host; None for an admitted host.

        The status is 421 (RFC 9110, section 15.5.20), or 400 if the request names no valid host. The log says once a
        minute which setting would admit the host.
        """
        if self.admits(request):
            return None
        host = requested_host(request)
        if host is None:
            return problem(Invalid("The request must have one valid Host header (RFC 9112, section 3.2)."))
        if self._throttle.admits(None):
            log.warning("Host refused: host=%s. To answer to it, set %s=%s.", host, SETTING, self._with(host))
        error = Invalid(f"This host is not allowed; the server's log says how to allow it with {SETTING}.")
        return problem(error, status=HTTPStatus.MISDIRECTED_REQUEST)

    def _with(self, host: str) -> str:
        return ",".join([*sorted(self.allowed or ()), host])


def requested_host(request: Request) -> str | None:
    """Return the host of a request, normalised; None if the request names no host, several, or an invalid one.

    The host of an absolute target counts before the header Host (RFC 9112, section 3.2.2).
    """
    hosts = request.headers.getall("Host")
    if len(hosts) != 1:
        return None
    return normalised(hosts[0] if request.authority is None else request.authority)


def normalised(text: str) -> str | None:
    """Return a host in lower case, without port and final dot, an IPv6 address in brackets; None for anything else."""
    match = _HOST.fullmatch(text.lower()) if len(text) <= LENGTH_MAX and text.isascii() else None
    if match is None:
        return None
    host = match[1]
    if not host.startswith("["):
        return host.removesuffix(".") or None
    try:
        return f"[{ipaddress.IPv6Address(host[1:-1])}]"
    except ValueError:
        return None


def _parse_host(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError(f"is empty, or has an empty place; leave it unset, or write {ANY} for any host")
    if ANY in text:
        raise ValueError(f"must be {ANY} alone, or name the hosts one by one")
    host = normalised(text)
    if host is None or re.search(r":[0-9]*$", text.rpartition("]")[2]):
        raise ValueError("must hold hosts such as chat.example or [::1], without a scheme, a port or a path")
    return host
