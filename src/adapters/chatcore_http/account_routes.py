"""The HTTP routes of the bundled accounts: sign-up, sign-in, refresh and sign-out."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import attrs
from attrs import field, frozen

from chatcore.accounts import Accounts, Tokens
from chatcore.errors import Forbidden, Invalid, Unauthenticated

from .account_operations import (
    REFRESH_COOKIE,
    Refresh,
    SignIn,
    SignUp,
    refresh_operation,
    sign_in_operation,
    sign_out_operation,
    sign_up_operation,
)
from .bodies import is_json, read_nothing, read_object
from .cookies import parse_cookies, set_cookie
from .credentials import credentials
from .endpoints import PREFIX, Endpoint
from .prefixes import check_prefix
from .problems import problem
from .requests import Request
from .responses import Response, json_response
from .urls import Segments, refuse_query

B = TypeVar("B", bound=attrs.AttrsInstance)

COOKIE_PATH = f"{PREFIX}/sessions"
QUERY_REFUSED = "Fields belong in the body, not in the query."
NO_TOKEN = (
    "refresh_token is missing. The session's cookie counts only in a page's request with Origin and "
    "Content-Type: application/json."
)
NO_COOKIE = "The cookie of the session is missing; sign in again."
NO_TIME = timedelta()


def _check_cookie_prefix(_: object, __: object, prefix: str) -> None:
    """Raise ValueError unless ``prefix`` is empty or a plain path that a cookie can have: a semicolon would end it."""
    if prefix:
        check_prefix(prefix)
    if ";" in prefix:
        raise ValueError(f"the prefix {prefix!r} must not have a semicolon")


@frozen
class AccountRoutes:
    """Sign-up, sessions and their tokens over HTTP.

    A page may leave its refresh token in a cookie, which is read to refresh the session alone. Pages of other sites
    cannot sign in or refresh: they can send no JSON without a preflight, and `Guard` refuses their origins.

    Args:
        accounts: the accounts.
        is_sign_up_open: whether clients may create accounts.
        prefix: the path of the whole server in the addresses that browsers see, such as ``/chat``.
    """

    accounts: Accounts
    is_sign_up_open: bool = True
    prefix: str = field(default="", validator=_check_cookie_prefix)

    def endpoints(self) -> Iterable[Endpoint]:
        return (
            Endpoint("POST", "/accounts", self._sign_up, sign_up_operation),
            Endpoint("POST", "/sessions", self._sign_in, sign_in_operation),
            Endpoint("POST", "/sessions/refresh", self._refresh, refresh_operation),
            Endpoint("DELETE", "/sessions/current", self._sign_out, sign_out_operation),
        )

    async def _sign_up(self, request: Request, _: Segments) -> Response:
        if not self.is_sign_up_open:
            raise Forbidden("Sign-up is closed on this server; ask its operator for an account.")
        body = await _read_body(request, SignUp)
        user = await self.accounts.sign_up(body.user, body.password, body.name, address=request.remote)
        return json_response({"user": user}, status=201)

    async def _sign_in(self, request: Request, _: Segments) -> Response:
        body = await _read_body(request, SignIn)
        tokens = await self.accounts.sign_in(body.user, body.password, body.device, address=request.remote)
        if body.cookie:
            return self._keep_in_cookie(request, tokens, status=201)
        return json_response(attrs.asdict(tokens), status=201)

    async def _refresh(self, request: Request, _: Segments) -> Response:
        body = await _read_body(request, Refresh)
        if body.refresh_token is None:
            return await self._refresh_by_cookie(request)
        return json_response(attrs.asdict(await self.accounts.refresh(body.refresh_token)))

    async def _refresh_by_cookie(self, request: Request) -> Response:
        if "Origin" not in request.headers or not is_json(request):
            raise Invalid(NO_TOKEN, field="refresh_token")
        cookies = parse_cookies(request)
        token = cookies.values.get(REFRESH_COOKIE)
        if token is None:
            # It stays where there are two: without it the other, which may be of a neighbouring domain, would count.
            raise Unauthenticated(cookies.fault or NO_COOKIE)
        try:
            tokens = await self.accounts.refresh(token, newest=True)
        except Unauthenticated as error:
            return problem(error.with_traceback(None), headers=self._cookie(request, "", NO_TIME))
        return self._keep_in_cookie(request, tokens)

    async def _sign_out(self, request: Request, _: Segments) -> Response:
        session = await self._session(request)
        refuse_query(request, QUERY_REFUSED)
        await read_nothing(request)
        if session is not None:
            await self.accounts.sign_out(session)
        token = parse_cookies(request).values.get(REFRESH_COOKIE)
        if token is None or self.accounts.session_of(token) not in (None, session):
            return Response(status=204)
        return Response(status=204, headers=self._cookie(request, "", NO_TIME))

    async def _session(self, request: Request) -> str | None:
        principal = await self.accounts.authenticate(credentials(request))
        if principal is None:
            raise Unauthenticated
        return principal.session

    def _keep_in_cookie(self, request: Request, tokens: Tokens, *, status: int = 200) -> Response:
        """Return an answer that sets the refresh token as a cookie, and does not show it."""
        shown = attrs.asdict(tokens)
        cookie = self._cookie(request, shown.pop("refresh_token"), self.accounts.session_idle)
        return json_response(shown, status=status, headers=cookie)

    def _cookie(self, request: Request, value: str, lifetime: timedelta) -> Mapping[str, str]:
        path = f"{self.prefix}{COOKIE_PATH}"
        cookie = set_cookie(REFRESH_COOKIE, value, path=path, lifetime=lifetime, is_secure=request.is_secure)
        return {"Set-Cookie": cookie}


async def _read_body(request: Request, kind: type[B]) -> B:
    """Read the body as an object of class ``kind``. All its fields are strings or booleans. Raises `Invalid`."""
    refuse_query(request, QUERY_REFUSED)
    body = await read_object(request)
    attributes = {attribute.name: attribute for attribute in attrs.fields(kind)}
    if unknown := body.keys() - attributes.keys():
        raise Invalid("Unknown field.", field=min(unknown))
    for name, attribute in attributes.items():
        _check(name, attribute, body)
    return kind(**body)


def _check(name: str, attribute: "attrs.Attribute[Any]", body: Mapping[str, object]) -> None:
    if name not in body and attribute.default is attrs.NOTHING:
        raise Invalid(f"{name} is missing.", field=name)
    expected, named = (bool, "true or false") if attribute.type is bool else (str, "a string")
    if name in body and type(body[name]) is not expected:
        raise Invalid(f"{name} must be {named}.", field=name)
