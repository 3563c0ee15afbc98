"""The HTTP routes of the bundled accounts: sign-up, sign-in, refresh and sign-out."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs
from attrs import frozen

from chatcore.accounts import Accounts
from chatcore.errors import Forbidden, Invalid, Unauthenticated

from .account_operations import (
    Refresh,
    SignIn,
    SignUp,
    refresh_operation,
    sign_in_operation,
    sign_out_operation,
    sign_up_operation,
)
from .bodies import read_nothing, read_object
from .credentials import credentials
from .endpoints import Endpoint
from .requests import Request
from .responses import Response, json_response
from .urls import Segments, refuse_query

B = TypeVar("B", bound=attrs.AttrsInstance)

QUERY_REFUSED = "Fields belong in the body, not in the query."


@frozen
class AccountRoutes:
    """Sign-up, sessions and their tokens over HTTP.

    Args:
        accounts: the accounts.
        is_sign_up_open: whether clients may create accounts.
    """

    accounts: Accounts
    is_sign_up_open: bool = True

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
        return json_response(attrs.asdict(tokens), status=201)

    async def _refresh(self, request: Request, _: Segments) -> Response:
        body = await _read_body(request, Refresh)
        return json_response(attrs.asdict(await self.accounts.refresh(body.refresh_token)))

    async def _sign_out(self, request: Request, _: Segments) -> Response:
        session = await self._session(request)
        refuse_query(request, QUERY_REFUSED)
        await read_nothing(request)
        if session is not None:
            await self.accounts.sign_out(session)
        return Response(status=204)

    async def _session(self, request: Request) -> str | None:
        principal = await self.accounts.authenticate(credentials(request))
        if principal is None:
            raise Unauthenticated
        return principal.session


async def _read_body(request: Request, kind: type[B]) -> B:
    """Read the body as an object of class ``kind``. All its fields are strings. Raises `Invalid`."""
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
    if name in body and type(body[name]) is not str:
        raise Invalid(f"{name} must be a string.", field=name)
