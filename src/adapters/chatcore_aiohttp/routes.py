"""The HTTP routes of commands, made from the table of commands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from aiohttp import web
from attrs import field, frozen

from chatcore.chat import Chat
from chatcore.commands.command import Command, Route
from chatcore.commands.table import COMMANDS
from chatcore.errors import Forbidden, Invalid
from chatcore.ids import UserId, is_user_id
from chatcore.ports.authenticator import Authenticator
from chatcore.protocol import answer_object, read_command

from . import paths
from .bodies import read_nothing, read_object
from .credentials import principal
from .endpoints import Endpoint
from .responses import json_response
from .texts import query_fields, typed

SELF = "self"
USER = "user"
"""What a client calls a user that a path names."""
ADDRESSEES = ("to", "with")
"""What commands call that user instead."""
WITHOUT_BODY = ("GET", "HEAD", "DELETE")

Served: TypeAlias = tuple[Route, type[Command[Any]]]


def _as_written(user: UserId) -> UserId | None:
    return user


@frozen(kw_only=True)
class CommandRoutes:
    """The commands of a Chat over HTTP. ``canonical`` is the Chat's own."""

    chat: Chat
    authenticate: Authenticator
    canonical: Callable[[UserId], UserId | None] = field(default=_as_written)
    commands: Mapping[str, type[Command[Any]]] = COMMANDS

    def endpoints(self) -> Iterable[Endpoint]:
        """One endpoint for each method and path; several commands have one where only ``{self}`` tells them apart."""
        found: dict[tuple[str, paths.Shape], list[Served]] = {}
        for command in self.commands.values():
            for route in command.routes:
                found.setdefault((route.method, paths.shape(route.path)), []).append((route, command))
        for (method, _), served in found.items():
            served.sort(key=lambda one: f"{{{SELF}}}" not in one[0].path)
            yield Endpoint(method, served[0][0].path, partial(self._answer, served))

    async def _answer(self, served: Sequence[Served], request: web.Request, given: paths.Segments) -> web.Response:
        user = (await principal(request, self.authenticate)).user
        route, command = self._meant(served, given, user)
        fields = await _fields(request, command, route.fixed, _texts(paths.fields(route.path, given)))
        answer = answer_object(await self.chat.execute(user, read_command(command.name, fields)))
        created = route.created and not answer.get("duplicate")
        return json_response(answer, status=201 if created else 200)

    def _meant(self, served: Sequence[Served], given: paths.Segments, user: UserId) -> Served:
        for route, command in served:
            if self._is_for(user, paths.fields(route.path, given)):
                return route, command
        raise Forbidden("A user can do this only for themselves.")

    def _is_for(self, user: UserId, found: Mapping[str, str | None]) -> bool:
        if SELF not in found:
            return True
        named = found[SELF]
        if named is None:
            raise Invalid("The path must be percent-encoded UTF-8.", field=USER)
        return self.canonical(named) == user


def _texts(found: Mapping[str, str | None]) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for name, text in found.items():
        called = USER if name in ADDRESSEES else name
        if text is None:
            raise Invalid("The path must be percent-encoded UTF-8.", field=called)
        if name in ADDRESSEES and not is_user_id(text):
            raise Invalid("user is not a valid user id.", field=USER)
        if name != SELF:
            texts[name] = text
    return texts


async def _fields(
    request: web.BaseRequest, command: type[Command[Any]], fixed: Mapping[str, object], in_path: Mapping[str, str]
) -> Mapping[str, object]:
    query = query_fields(request.rel_url.raw_query_string)
    if request.method in WITHOUT_BODY:
        await read_nothing(request)
        others = typed(command, query)
    else:
        if query:
            raise Invalid("Fields belong in the body, not in the query.", field=min(query))
        others = await read_object(request)
    if twice := (in_path.keys() | fixed.keys()) & others.keys():
        raise Invalid("The path or the method already sets this field.", field=min(twice))
    return {**typed(command, in_path), **fixed, **others}
