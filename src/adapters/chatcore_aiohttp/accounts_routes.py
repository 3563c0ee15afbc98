"""The HTTP routes of the bundled accounts: signing up, in and out."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs
from aiohttp import web
from attrs import field, frozen

from chatcore.accounts import Accounts
from chatcore.errors import Forbidden, Invalid

from . import paths
from .bodies import read_nothing, read_object
from .credentials import principal
from .endpoints import Endpoint
from .responses import json_response
from .texts import query_fields

B = TypeVar("B", bound=attrs.AttrsInstance)


@frozen(kw_only=True)
class SignUp:
    user: str
    password: str = field(repr=False)
    name: str | None = None


@frozen(kw_only=True)
class SignIn:
    user: str
    password: str = field(repr=False)
    device: str | None = None


@frozen(kw_only=True)
class Refresh:
    refresh_token: str = field(repr=False)


@frozen
class AccountRoutes:
    """Sign-up, sessions and their tokens over HTTP."""

    accounts: Accounts
    is_sign_up_open: bool = True

    def endpoints(self) -> Iterable[Endpoint]:
        return (
            Endpoint("POST", "/accounts", self._sign_up),
            Endpoint("POST", "/sessions", self._sign_in),
            Endpoint("POST", "/sessions/refresh", self._refresh),
            Endpoint("DELETE", "/sessions/current", self._sign_out),
        )

    async def _sign_up(self, request: web.Request, _: paths.Segments) -> web.Response:
        if not self.is_sign_up_open:
            raise Forbidden("Sign-up is closed on this server; ask its operator for an account.")
        wanted = await _read(request, SignUp)
        user = await self.accounts.sign_up(wanted.user, wanted.password, wanted.name, address=request.remote)
        return json_response({"user": user}, status=201)

    async def _sign_in(self, request: web.Request, _: paths.Segments) -> web.Response:
        shown = await _read(request, SignIn)
        tokens = await self.accounts.sign_in(shown.user, shown.password, shown.device, address=request.remote)
        return json_response(attrs.asdict(tokens), status=201)

    async def _refresh(self, request: web.Request, _: paths.Segments) -> web.Response:
        shown = await _read(request, Refresh)
        return json_response(attrs.asdict(await self.accounts.refresh(shown.refresh_token)))

    async def _sign_out(self, request: web.Request, _: paths.Segments) -> web.Response:
        session = (await principal(request, self.accounts.authenticate)).session
        _check_query(request)
        await read_nothing(request)
        if session is not None:
            await self.accounts.sign_out(session)
        return web.Response(status=204)


async def _read(request: web.BaseRequest, kind: type[B]) -> B:
    """The body as what it should be; all fields are texts."""
    _check_query(request)
    found = await read_object(request)
    known = {attribute.name: attribute for attribute in attrs.fields(kind)}
    if unknown := found.keys() - known.keys():
        raise Invalid("Unknown field.", field=min(unknown))
    for name, attribute in known.items():
        _check(name, attribute, found)
    return kind(**found)


def _check(name: str, attribute: "attrs.Attribute[Any]", found: Mapping[str, object]) -> None:
    if name not in found and attribute.default is attrs.NOTHING:
        raise Invalid(f"{name} is missing.", field=name)
    if name in found and type(found[name]) is not str:
        raise Invalid(f"{name} must be a string.", field=name)


def _check_query(request: web.BaseRequest) -> None:
    if query := query_fields(request.rel_url.raw_query_string):
        raise Invalid("Fields belong in the body, not in the query.", field=min(query))
