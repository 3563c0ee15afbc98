"""What is served under the API's prefix, found by the path as it was sent."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus

from aiohttp import hdrs, web
from attrs import frozen

from chatcore.errors import Invalid, NotFound

from . import paths
from .bodies import no_leave_yet
from .problems import problem

PREFIX = "/api/v1"


@frozen
class Endpoint:
    """What answers a method at a path below the prefix, a template: ``/rooms/{room}``. It gets the path's segments."""

    method: str
    path: str
    answer: Callable[[web.Request, paths.Segments], Awaitable[web.StreamResponse]]


class Endpoints:
    """All endpoints below ``prefix``; no two of one method have paths of the same shape."""

    def __init__(self, endpoints: Iterable[Endpoint], prefix: str = PREFIX) -> None:
        self._prefix = paths.segments(prefix)
        self._path = f"{prefix}/{{rest:(?s:.*)}}"  # any character, also a line's end
        self._served: dict[paths.Shape, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            methods = self._served.setdefault(paths.shape(endpoint.path), {})
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is served twice")
            methods[endpoint.method] = endpoint

    def add_to(self, app: web.Application) -> None:
        """Serve them. aiohttp decodes a path before it looks for segments, so that all of it is left to `answer`."""
        app.router.add_route("*", self._path, self.answer, expect_handler=no_leave_yet)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer of the endpoint that is meant. Raises `NotFound`, and what the endpoint raises."""
        given = paths.segments(request.rel_url.raw_path)
        prefix, below = given[: len(self._prefix)], given[len(self._prefix) :]
        methods = self._at(below) if prefix == self._prefix else None
        if methods is None:
            raise NotFound
        method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
        endpoint = methods.get(method)
        return await endpoint.answer(request, below) if endpoint else _wrong_method(methods)

    def _at(self, given: paths.Segments) -> Mapping[str, Endpoint] | None:
        return next((methods for shape, methods in self._served.items() if paths.matches(shape, given)), None)


def _wrong_method(served: Iterable[str]) -> web.Response:
    allowed = {*served, hdrs.METH_HEAD} if hdrs.METH_GET in served else served
    error = Invalid("Method not allowed; the Allow header lists the methods of this path.")
    return problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={hdrs.ALLOW: ", ".join(sorted(allowed))})
