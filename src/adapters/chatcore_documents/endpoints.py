"""The addresses of the documents: ``/openapi.json``, ``/asyncapi.json`` and ``/docs``."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from anyio import to_thread

from chatcore_http.codec import encode
from chatcore_http.endpoints import Endpoint
from chatcore_http.entity_tags import entity_tag, has_one_of
from chatcore_http.requests import Request
from chatcore_http.responses import Response
from chatcore_http.urls import Segments

from .asyncapi import asyncapi
from .openapi import openapi
from .reference import CONTENT_SECURITY_POLICY, reference

OPENAPI, ASYNCAPI, DOCS = "/openapi.json", "/asyncapi.json", "/docs"
PAGES: Mapping[str, str] = {
    DOCS: "The contract as a page for people",
    OPENAPI: "The HTTP API as an OpenAPI document",
    ASYNCAPI: "The events over sockets as an AsyncAPI document",
}
NO_PAGES: Mapping[str, str] = {}


def document_endpoints(endpoints: Iterable[Endpoint], pages: Mapping[str, str] = NO_PAGES) -> Sequence[Endpoint]:
    """Return the endpoints of the documents, whose paths are beside the API's prefix.

    A document is made in another thread when it is requested first.

    Args:
        endpoints: the endpoints below the API's prefix.
        pages: what else is beside the prefix, by path.
    """
    served = tuple(endpoints)

    def openapi_json() -> bytes:
        return encode(openapi(served, {**pages, **PAGES})) + b"\n"

    def asyncapi_json() -> bytes:
        return encode(asyncapi()) + b"\n"

    def docs() -> bytes:
        return reference(served).encode()

    return [
        Endpoint("GET", OPENAPI, _document(openapi_json, {"Content-Type": "application/json"})),
        Endpoint("GET", ASYNCAPI, _document(asyncapi_json, {"Content-Type": "application/json"})),
        Endpoint(
            "GET",
            DOCS,
            _document(
                docs,
                {
                    "Content-Type": "text/html; charset=utf-8",
                    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                    "Referrer-Policy": "no-referrer",
                },
            ),
        ),
    ]


def _document(
    make: Callable[[], bytes], headers: Mapping[str, str]
) -> Callable[[Request, Segments], Awaitable[Response]]:
    made: Response | None = None

    def full() -> Response:
        body = make()
        return Response(200, body, {**headers, "Cache-Control": "no-cache", "ETag": entity_tag(body)})

    async def answer(request: Request, _: Segments) -> Response:
        nonlocal made
        if made is None:
            # Messages do not wait while a document is made. Requests that come meanwhile may make it too.
            made = await to_thread.run_sync(full)
        if has_one_of(request, made.headers["ETag"]):
            kept = {name: value for name, value in made.headers.items() if name != "Content-Type"}
            return Response(304, headers=kept)
        return made

    return answer
