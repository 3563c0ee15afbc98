"""The endpoints below the API's prefix, which are found by the path as it was sent."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from attrs import frozen

from chatcore.errors import NotFound
from chatcore.protocol.schemas import Schemas

from .operations import Operation
from .problems import method_not_allowed
from .requests import Request
from .responses import Response
from .urls import Segments, Shape, matches, path_segments, shape

PREFIX = "/api/v1"


@frozen
class Endpoint:
    """Answers a method at the paths of a template.

    Attributes:
        method: the HTTP method. GET answers HEAD too.
        path: a template below the prefix, such as ``/rooms/{room}``.
        answer: takes the request and the segments of its path below the prefix.
        describe: returns what the documents of the contract say about it; None for nothing.
    """

    method: str
    path: str
    answer: Callable[[Request, Segments], Awaitable[Response]]
    describe: Callable[[Schemas], Operation] | None = None


class Endpoints:
    """All endpoints below ``prefix``, which may be empty.

    Raises:
        ValueError: two endpoints have the same method and paths of one shape.
    """

    def __init__(self, endpoints: Iterable[Endpoint], prefix: str = PREFIX) -> None:
        self._prefix = path_segments(prefix) if prefix else []
        self._methods: dict[Shape, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            methods = self._methods.setdefault(shape(endpoint.path), {})
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is served twice")
            methods[endpoint.method] = endpoint

    def serves(self, path: str) -> bool:
        """Return whether there is an endpoint at ``path``, for any method."""
        segments = path_segments(path)
        below = len(self._prefix)
        return segments[:below] == self._prefix and self._methods_at(segments[below:]) is not None

    async def answer(self, request: Request) -> Response:
        """Answer a request by its endpoint. Raises `NotFound`, and the errors of the endpoint."""
        segments = path_segments(request.path)
        prefix, rest = segments[: len(self._prefix)], segments[len(self._prefix) :]
        methods = self._methods_at(rest) if prefix == self._prefix else None
        if methods is None:
            raise NotFound
        endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            return method_not_allowed({*methods, "HEAD"} if "GET" in methods else methods)
        return await endpoint.answer(request, rest)

    def _methods_at(self, segments: Segments) -> Mapping[str, Endpoint] | None:
        return next((methods for shape, methods in self._methods.items() if matches(shape, segments)), None)
