"""The operations of commands over HTTP, made from the table of commands."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from chatcore.commands.command import Command, Route
from chatcore.commands.fields import QUERY_NAME, keywords_of, user, wire_name
from chatcore.errors import ERRORS
from chatcore.protocol import Object
from chatcore.protocol.docstrings import description, summary
from chatcore.protocol.examples import Example, steps_of
from chatcore.protocol.schemas import Schemas, refusals_of

from .operations import HttpExample, Operation, Parameter
from .problems import STATUSES, problem_object
from .urls import field_name

SELF = "self"
"""The field of a path that must name the user who sends the request."""
USER = "user"
"""The name in errors and documents of the field that names a user in a path."""
USER_FIELDS = ("to", "with")
"""The names of that field in commands."""
WITHOUT_BODY = ("GET", "HEAD", "DELETE")

RoutedCommand = tuple[Route, type[Command[Any]]]


def command_operation(routed: Sequence[RoutedCommand], schemas: Schemas) -> Operation:
    """Return the operation of an endpoint. Of two commands, the first is for the user's own id in the path."""
    operations = [_operation(route, command, schemas) for route, command in routed]
    if len(operations) == 1:
        return operations[0]
    own, other = operations
    parameters = {parameter.name: parameter for operation in operations for parameter in operation.parameters}
    return attrs.evolve(
        other,
        id=f"{own.id}_or_{other.id}",
        commands=[*own.commands, *other.commands],
        title=f"{own.title}, or {other.title[:1].lower()}{other.title[1:]}",
        description=f"With the user's own id: {own.description}\n\nWith another user: {other.description}",
        parameters=list(parameters.values()),
        refusals=_merged(own.refusals, other.refusals),
        examples=[*own.examples, *other.examples],
    )


def family_of(command: type[Command[Any]]) -> str:
    """Return the heading under which a command is described: the name of its module."""
    return command.__module__.rpartition(".")[2]


def _operation(route: Route, command: type[Command[Any]], schemas: Schemas) -> Operation:
    sent = schemas.sent(command)
    in_path = [name for part in route.path.split("/") if (name := field_name(part))]
    elsewhere = {*in_path, *route.fixed, *_alternatives(sent, in_path)}
    rest = {name: schema for name, schema in sent["properties"].items() if name not in elsewhere}
    required = [name for name in sent.get("required", ()) if name in rest]
    parameters = [_path_parameter(name, sent["properties"].get(name)) for name in in_path]
    body: Object | None = None
    if route.method in WITHOUT_BODY:
        names = _query_names(command)
        parameters += [
            Parameter(names.get(name, name), "query", _in_query(schema), name in required)
            for name, schema in rest.items()
        ]
    else:
        kept = [condition for condition in sent.get("allOf", ()) if not _mentions(condition, in_path)]
        body = {
            "type": "object",
            "properties": rest,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **({"allOf": kept} if kept else {}),
        }
    answer = schemas.answer(command)
    return Operation(
        id=_operation_id(route, command),
        family=family_of(command),
        path=_shown_path(route.path),
        title=summary(command).rstrip("."),
        commands=[command.name],
        description=description(command),
        parameters=parameters,
        body=body,
        responses={201: answer, 200: answer} if route.created else {200: answer},
        refusals=refusals_of(command),
        examples=list(_examples(route, command)),
    )


def _operation_id(route: Route, command: type[Command[Any]]) -> str:
    """Return the command's name, and what distinguishes the route from its others: a part of the path or the method."""
    others = [other for other in command.routes if other != route]
    if not others:
        return command.name
    known = {part for other in others for part in other.path.split("/")}
    parts = [part for part in route.path.split("/") if part not in known and not field_name(part)]
    return f"{command.name}.{parts[-1] if parts else route.method.lower()}"


def _shown_path(path: str) -> str:
    for name in (SELF, *USER_FIELDS):
        path = path.replace(f"{{{name}}}", f"{{{USER}}}")
    return path


def _path_parameter(name: str, schema: Object | None) -> Parameter:
    if name == SELF:
        return Parameter(USER, "path", {**keywords_of(user), "description": "The user's own id."})
    return Parameter(USER if name in USER_FIELDS else name, "path", schema or {"type": "string"})


def _query_names(command: type[Command[Any]]) -> Mapping[str, str]:
    """Return the names in the query of those fields that have another name there."""
    return {
        wire_name(attribute): attribute.metadata[QUERY_NAME]
        for attribute in attrs.fields(command)
        if QUERY_NAME in attribute.metadata
    }


def _in_query(schema: Object) -> Object:
    """Return the schema of a value in a query, where no value is empty."""
    if schema.get("type") == "array":
        return {**schema, "minItems": 1, "items": _in_query(schema["items"])}
    return {**schema, "minLength": schema.get("minLength") or 1} if schema.get("type") == "string" else schema


def _alternatives(sent: Object, given: Collection[str]) -> Iterable[str]:
    """Return the fields that must be missing because one of ``given`` is there."""
    for condition in sent.get("allOf", ()):
        names = {name for option in condition.get("oneOf", ()) for name in option.get("required", ())}
        if not names.isdisjoint(given):
            yield from names.difference(given)


def _mentions(condition: object, names: Collection[str]) -> bool:
    """Return whether a schema names one of some fields."""
    match condition:
        case Mapping():
            return any(name in names or _mentions(value, names) for name, value in condition.items())
        case list():
            return any(_mentions(item, names) for item in condition)
        case _:
            return isinstance(condition, str) and condition in names


def _examples(route: Route, command: type[Command[Any]]) -> Iterable[HttpExample]:
    names = _query_names(command)
    for step, example in steps_of(command.name):
        if not _fits(example, route):
            continue
        in_path = {name: _path_value(example, name) for part in route.path.split("/") if (name := field_name(part))}
        rest = {
            name: value for name, value in example.fields.items() if name not in in_path and name not in route.fixed
        }
        path = "/".join(
            quote(str(in_path[name]), safe="") if (name := field_name(part)) else part for part in route.path.split("/")
        )
        has_body = route.method not in WITHOUT_BODY
        query = {names.get(name, name): value for name, value in rest.items()}
        yield HttpExample(
            command=command.name,
            step=step,
            user=example.user,
            method=route.method,
            path=path if has_body or not query else f"{path}?{urlencode(_texts(query), doseq=True)}",
            values={
                **{USER if name in (SELF, *USER_FIELDS) else name: value for name, value in in_path.items()},
                **query,
            },
            body=rest if has_body else None,
            status=_status(example, route),
            answer=example.answer if example.error is None else problem_object(example.error),
        )


def _fits(example: Example, route: Route) -> bool:
    fields = [name for part in route.path.split("/") if (name := field_name(part)) and name != SELF]
    return (
        example.path in (None, route.path)
        and all(name in example.fields for name in fields)
        and all(example.fields.get(name) == value for name, value in route.fixed.items())
    )


def _path_value(example: Example, name: str) -> object:
    return example.user if name == SELF else example.fields[name]


def _texts(query: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a query, booleans as JSON writes them."""
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}


def _status(example: Example, route: Route) -> int:
    if example.error is not None:
        return STATUSES[example.error["code"]].value
    return 201 if route.created and not (example.answer or {}).get("duplicate") else 200


def _merged(first: Mapping[str, str], second: Mapping[str, str]) -> Mapping[str, str]:
    merged = dict(first)
    for code, when in second.items():
        merged[code] = when if code not in first or first[code] == when else f"{first[code]}; {when}"
    return {code: merged[code] for code in ERRORS if code in merged}
