"""What is answered to bytes that aiohttp's parser refuses: they reach no handler."""

from http import HTTPStatus

from aiohttp import hdrs, web

from chatcore.errors import Internal, Invalid
from chatcore_aiohttp import problem
from chatcore_aiohttp.guard import EVERYWHERE


class HttpProtocol(web.RequestHandler):
    """aiohttp's protocol, whose own refusals are problem details too.

    Its words repeat what was sent, which may be a token or a password, and name the library and its version.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs it, and raises where an answer has begun
        error = (
            Internal() if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid("This is not a request of HTTP/1.1.")
        )
        response = problem(error, status=HTTPStatus(status), headers={**EVERYWHERE, hdrs.SERVER: "chatcore"})
        response.force_close()
        return response
