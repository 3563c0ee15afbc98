"""The HTTP routes of commands, made from the table of commands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import attrs
from attrs import frozen

from chatcore.chat import Chat
from chatcore.commands.command import Command
from chatcore.commands.fields import QUERY_NAME, wire_name
from chatcore.commands.table import COMMANDS
from chatcore.errors import Forbidden, Invalid
from chatcore.ids import UserId, is_user_id
from chatcore.ports.authenticator import Authenticator
from chatcore.protocol import answer_object, read_command

from .bodies import read_nothing, read_object
from .command_operations import SELF, USER, USER_FIELDS, WITHOUT_BODY, RoutedCommand, command_operation
from .credentials import authenticated
from .endpoints import Endpoint
from .requests import Request
from .responses import Response, json_response
from .urls import Segments, Shape, path_fields, query_parameters, refuse_query, shape, single, undecodable_path

_DIGITS = re.compile(r"0|[1-9][0-9]{0,15}")
"""An integer as JSON writes it. An integer with more digits is out of every field's bounds."""


@frozen(kw_only=True)
class CommandRoutes:
    """The commands of a Chat over HTTP.

    Args:
        chat: executes the commands.
        authenticate: returns the user who sends a request.
        commands: the table of commands.
    """

    chat: Chat
    authenticate: Authenticator
    commands: Mapping[str, type[Command[Any]]] = COMMANDS

    def endpoints(self) -> Iterable[Endpoint]:
        """Return one endpoint for each method and shape of a path. Two commands share an endpoint if their paths differ
        only by ``{self}``."""
        by_endpoint: dict[tuple[str, Shape], list[RoutedCommand]] = {}
        for command in self.commands.values():
            for route in command.routes:
                by_endpoint.setdefault((route.method, shape(route.path)), []).append((route, command))
        for (method, _), routed in by_endpoint.items():
            routed.sort(key=lambda candidate: f"{{{SELF}}}" not in candidate[0].path)
            yield Endpoint(method, routed[0][0].path, partial(self._answer, routed), partial(command_operation, routed))

    async def _answer(self, routed: Sequence[RoutedCommand], request: Request, segments: Segments) -> Response:
        user = (await authenticated(self.chat, self.authenticate, request)).user
        route, command = self._route_for(routed, segments, user)
        fields = await _fields(request, command, route.fixed, _path_texts(path_fields(route.path, segments)))
        answer = answer_object(await self.chat.request(user, read_command(command.name, fields)))
        is_created = route.created and not answer.get("duplicate")
        return json_response(answer, status=201 if is_created else 200)

    def _route_for(self, routed: Sequence[RoutedCommand], segments: Segments, user: UserId) -> RoutedCommand:
        for route, command in routed:
            if self._applies_to(user, path_fields(route.path, segments)):
                return route, command
        raise Forbidden("A user can do this only for themselves.")

    def _applies_to(self, user: UserId, fields: Mapping[str, str | None]) -> bool:
        if SELF not in fields:
            return True
        named_user = fields[SELF]
        if named_user is None:
            raise undecodable_path(USER)
        try:
            return self.chat.canonical(named_user) == user
        except Invalid:
            return False


def _path_texts(fields: Mapping[str, str | None]) -> Mapping[str, str]:
    """Return the fields of a path without ``{self}``. Raises `Invalid` for a field that cannot be decoded."""
    texts: dict[str, str] = {}
    for name, text in fields.items():
        shown_name = USER if name in USER_FIELDS else name
        if text is None:
            raise undecodable_path(shown_name)
        if name in USER_FIELDS and not is_user_id(text):
            raise Invalid("user is not a valid user id.", field=USER)
        if name != SELF:
            texts[name] = text
    return texts


async def _fields(
    request: Request, command: type[Command[Any]], fixed: Mapping[str, object], path_texts: Mapping[str, str]
) -> Mapping[str, object]:
    """Return the fields of a command from the path, the route, and the query or the body. Raises `Invalid`."""
    if request.method in WITHOUT_BODY:
        others: Mapping[str, object] = _query(request.query, command)
        await read_nothing(request)
    else:
        refuse_query(request, "Fields belong in the body, not in the query.")
        others = await read_object(request)
    if repeated := (path_texts.keys() | fixed.keys()) & others.keys():
        raise Invalid("The path or the method already sets this field.", field=min(repeated))
    return {**typed(command, path_texts), **fixed, **others}


def _query(raw_query: str, command: type[Command[Any]]) -> dict[str, object]:
    """Return the fields of a command from a query string, in which the items of a list are repeated parameters."""
    parameters = query_parameters(raw_query)
    lists = {
        attribute.metadata[QUERY_NAME]: wire_name(attribute)
        for attribute in attrs.fields(command)
        if QUERY_NAME in attribute.metadata
    }
    fields = typed(command, single(parameter for parameter in parameters if parameter[0] not in lists))
    for item, name in lists.items():
        if name in fields:
            raise Invalid(f"Repeat the query parameter {item}.", field=name)
        if values := [value for other, value in parameters if other == item]:
            fields[name] = values
    return fields


def typed(command: type[Command[Any]], texts: Mapping[str, str]) -> dict[str, object]:
    """Return fields from a path or query with the types that the command has for them.

    Digits become an integer, ``true`` and ``false`` a boolean. Any other text stays as it is, and the command refuses
    it.
    """
    types = {wire_name(attribute): _union_members(attribute.type) for attribute in attrs.fields(command)}
    return {name: _typed(text, types.get(name, ())) for name, text in texts.items()}


def _union_members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) or (annotation,)


def _typed(text: str, types: tuple[Any, ...]) -> object:
    if int in types and _DIGITS.fullmatch(text):
        return int(text)
    if bool in types and text in ("true", "false"):
        return text == "true"
    return text
