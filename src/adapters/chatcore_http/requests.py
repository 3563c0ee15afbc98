"""A request as the HTTP API sees it, whatever server has received it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from attrs import field, frozen

INCOMPLETE = "The body is not complete."


class Headers:
    """The header fields of a request, by name in any case. A field may occur several times."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in fields:
            self._fields[name.lower()].append(value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def get(self, name: str) -> str | None:
        """Return the first value of a field; None if the request does not have the field."""
        return next(iter(self.getall(name)), None)

    def getall(self, name: str) -> Sequence[str]:
        return self._fields.get(name.lower(), ())

    def items(self) -> Iterable[tuple[str, Sequence[str]]]:
        """Return the fields by their names in lower case, each with all its values."""
        return self._fields.items()


class Disconnected(Exception):
    """The client left before the body of its request was complete."""


async def no_body() -> bytes:
    """Receive nothing: the request has no body."""
    return b""


@frozen(eq=False, kw_only=True)
class Request:
    """A request.

    Attributes:
        method: the HTTP method, in upper case.
        path: the path as it was sent, percent-encoded, without the prefix under which the API is served.
        query: the query string as it was sent.
        headers: the header fields.
        remote: the client's address.
        is_secure: whether the client's connection uses TLS.
        authority: the host and port of an absolute target, which count before the field ``Host``.
        has_body: False if it is known that there is no body; ``receive`` returns nothing then.
        receive: returns the next bytes of the body, and ``b""`` at its end. Raises `Disconnected`, and `Invalid` if the
            body does not match its headers.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(factory=Headers, repr=False)
    remote: str | None = None
    is_secure: bool = False
    authority: str | None = None
    has_body: bool = True
    receive: Callable[[], Awaitable[bytes]] = field(default=no_body, repr=False)
