"""JSON Schemas of commands, answers, pushes and errors, made from their attrs classes.

They are valid from draft 7 on, for AsyncAPI 3 as for OpenAPI 3.1: no keyword stands beside ``$ref``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

import attrs

from ..commands.command import (
    GENERAL_REFUSALS,
    KEYED_REFUSALS,
    NAMING_REFUSALS,
    Command,
    Conditions,
    Refusals,
    RoomCommand,
)
from ..commands.fields import KEYWORDS, data, keywords_of, wire_name
from ..commands.profiles import ProfilesResult
from ..commands.sync import RoomSync, Status, SyncResult
from ..domain.entries import (
    REACTIONS_MAX,
    Data,
    Entry,
    MembershipState,
    Message,
    Opened,
    Reaction,
    Role,
    RoomKind,
    RoomOpening,
)
from ..errors import ERRORS
from ..ports.pushes import Bye, Room
from .docstrings import attribute_notes, summary
from .events import EVENTS
from .notes import NOTES
from .pushes import PUSHES
from .values import Object

ERROR_OPTIONAL = ("field", "retry_after_ms")
REF = "$ref"
REFERENCE = "#/components/schemas/"

_PLAIN: Mapping[object, Object] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
}
_HIDDEN: Mapping[type, Iterable[str]] = {Reaction: ("mine",), SyncResult: ("user", "epoch")}
"""Attributes that are not on the wire."""
_OMITTED_IF_EMPTY = ((ProfilesResult, "rest"),)


def refusals_of(command: type[Command[Any]]) -> Refusals:
    """Return the codes of all errors that a command may be refused with, and when."""
    general = {**(KEYED_REFUSALS if issubclass(command, RoomCommand) else {}), **GENERAL_REFUSALS}
    if command.user_fields and command.impossible_users == "refused":
        general = {**NAMING_REFUSALS, **general}
    own = {
        code: f"{when}; {general[code]}" if code in ("invalid", "unauthenticated") else when
        for code, when in command.refusals.items()
    }
    return {**own, **{code: when for code, when in general.items() if code not in own}}


def answer_type(command: type[Command[Any]]) -> type:
    """Return the class of a command's answers. Raises TypeError if the command's class does not name it."""
    for cls in command.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            for answer in get_args(base):
                if isinstance(answer, type):
                    return answer
    raise TypeError(f"{command.__name__} must name the class of its answers: Command[…]")


def object_schema(properties: Mapping[str, Object], optional: Iterable[str] = ()) -> Object:
    """Return the schema of an object that the server writes. Further properties may come later."""
    required = [name for name in properties if name not in tuple(optional)]
    return {"type": "object", "properties": dict(properties), "required": required}


class Schemas:
    """Makes schemas, and collects those that others refer to.

    Attributes:
        components: the schemas of classes, by the names that follow `REFERENCE`.
    """

    def __init__(self) -> None:
        self.components: dict[str, Object] = {}

    def sent(self, cls: type) -> Object:
        """Return the schema of an object that clients send, such as the fields of a command."""
        notes = attribute_notes(cls)
        properties: dict[str, Object] = {}
        required: list[str] = []
        for attribute in sorted(attrs.fields(attrs.resolve_types(cls)), key=_is_key):
            name = wire_name(attribute)
            schema = self._of_field(attribute.type)
            if REF not in schema:
                schema |= attribute.metadata.get(KEYWORDS) or keywords_of(attribute.validator)
            if attribute.default is attrs.NOTHING:
                required.append(name)
            elif isinstance(attribute.default, str | int):
                schema["default"] = attribute.default
            properties[name] = _noted(schema, notes.get(attribute.name) or NOTES.get(name))
        conditions: Conditions = getattr(cls, "conditions", ())
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **({"allOf": list(conditions)} if conditions else {}),
        }

    def answer(self, command: type[Command[Any]]) -> Object:
        """Return the schema of a command's answer, without ``ok``."""
        answer = answer_type(command)
        if answer is Room and issubclass(command, RoomCommand):
            return object_schema({**_room_properties(self), **self.named(duplicate=bool)}, _ROOM_OPTIONAL)
        return self.of(answer)

    def push(self, event: str) -> Object:
        """Return the schema of a push's body."""
        return self.of(PUSHES[event])

    def error(self) -> Object:
        """Return the schema of an error over a socket."""

        return self.component("Error", lambda: object_schema(self.error_properties(), ERROR_OPTIONAL))

    def error_properties(self) -> dict[str, Object]:
        """Return the schemas of an error's fields. Those in `ERROR_OPTIONAL` may be missing."""
        code = _noted({"type": "string", "enum": list(ERRORS)}, NOTES["code"])
        return {"code": code, **self.named(message=str, temporary=bool, field=str, retry_after_ms=int)}

    def of(self, annotation: Any) -> Object:
        """Return the schema of a type as the server writes it."""
        if annotation in _PLAIN:
            return dict(_PLAIN[annotation])
        if annotation == Data:
            return self.component("Data", lambda: {**keywords_of(data), "description": NOTES["data"]})
        if attrs.has(annotation):
            return self.component(annotation.__name__, lambda: self._described(annotation))
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Literal:
            return {**_PLAIN[type(arguments[0])], "enum": list(arguments)}
        if origin in (Union, UnionType):
            schemas = [self.of(member) for member in arguments if member is not type(None)]
            return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        raise TypeError(f"{annotation} has no form on the wire")

    def named(self, **types: Any) -> dict[str, Object]:
        """Return properties of some names and types, with their notes."""
        return {name: _noted(self.of(annotation), NOTES.get(name)) for name, annotation in types.items()}

    def component(self, name: str, make: Callable[[], Object]) -> Object:
        """Return a reference to the schema ``name``, which is made when it is referred to first."""
        if name not in self.components:
            self.components[name] = {}  # a class may contain itself
            self.components[name] = make()
        return {REF: REFERENCE + name}

    def _of_field(self, annotation: Any) -> Object:
        """Return the schema of a field that clients send, which may be an object of objects with bounds."""
        *_, last = get_args(annotation) or (None,)
        if last is not None and attrs.has(last):
            return {"type": "object", "additionalProperties": self.component(last.__name__, lambda: self.sent(last))}
        return self.of(annotation)

    def _described(self, cls: type) -> Object:
        return _WRITTEN[cls](self) if cls in _WRITTEN else self.attributes(cls)

    def attributes(self, cls: type) -> Object:
        """Return the schema of an attrs class that is written as it is. What may be None is left out then."""
        notes = attribute_notes(cls)
        written = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.name not in _HIDDEN.get(cls, ())]
        properties = {
            field.name: _noted(self.of(field.type), notes.get(field.name) or NOTES.get(field.name)) for field in written
        }
        optional = [
            field.name
            for field in written
            if type(None) in get_args(field.type) or (cls, field.name) in _OMITTED_IF_EMPTY
        ]
        return object_schema(properties, optional)


Write: TypeAlias = Callable[[Schemas], Object]


def _entry(schemas: Schemas) -> Object:
    names = {kind: f"{event.__name__}Entry" for kind, event in EVENTS.items()}
    return {"oneOf": [schemas.component(name, _entry_maker(schemas, kind)) for kind, name in names.items()]}


def _entry_maker(schemas: Schemas, kind: str) -> Callable[[], Object]:
    return lambda: _entry_of(schemas, kind)


def _entry_of(schemas: Schemas, kind: str) -> Object:
    event = EVENTS[kind]
    fields = _message(schemas) if event is Message else schemas.attributes(event)
    head = {
        **schemas.named(room=str, seq=int),
        "kind": {"type": "string", "const": kind},
        **schemas.named(author=str, at=datetime),
        **(schemas.named(key=str) if event in (Message, Opened) else {}),
    }
    properties = {**head, **fields["properties"], "opens": schemas.of(RoomOpening)}
    optional = [name for name in properties if name not in (*head, *fields["required"])]
    return {"description": summary(event), **object_schema(properties, optional)}


def _message(schemas: Schemas) -> Object:
    reactions = {"type": "object", "additionalProperties": schemas.of(Reaction), "maxProperties": REACTIONS_MAX}
    properties = {
        **schemas.named(body=str, data=Data, reply_to=int, mentions=Sequence[str], version=int, edited_at=datetime),
        "reactions": _noted(reactions, "By emoji: how many users gave it, and the first 20 of them."),
        **schemas.named(deleted=bool, cut=bool),
    }
    return object_schema(properties, [name for name in properties if name != "version"])


_ROOM_OPTIONAL = ("title", "peer", "me", "last", "markers")


def _room_properties(schemas: Schemas) -> dict[str, Object]:
    return {
        **schemas.named(room=str, epoch=str, kind=RoomKind, title=str, head=int, peer=str, members_count=int),
        "me": _me(schemas),
        "last": schemas.of(Entry),
        "markers": _markers(schemas),
    }


def _room(schemas: Schemas) -> Object:
    return object_schema(_room_properties(schemas), _ROOM_OPTIONAL)


def _me(schemas: Schemas) -> Object:
    def make() -> Object:
        marker = schemas.named(read=int, delivered=int, unread=int, muted=bool)
        own = schemas.named(role=Role, state=MembershipState)
        return {"description": "The user's membership and marker.", **object_schema({**own, **marker}, marker)}

    return schemas.component("Me", make)


def _markers(schemas: Schemas) -> Object:
    marker = schemas.component("Marker", lambda: object_schema(schemas.named(read=int, delivered=int)))
    return {"type": "object", "additionalProperties": marker, "description": NOTES["markers"]}


def _room_sync(schemas: Schemas) -> Object:
    properties = {
        **schemas.named(status=Status, epoch=str, head=int, entries=Sequence[Entry]),
        "me": _me(schemas),
        "markers": _markers(schemas),
    }
    return object_schema(properties, [name for name in properties if name != "status"])


def _bye(schemas: Schemas) -> Object:
    own = schemas.attributes(Bye)
    return object_schema({**own["properties"], **schemas.named(resumable=bool)}, ("retry_after_ms",))


_WRITTEN: Mapping[type, Write] = {Entry: _entry, Room: _room, RoomSync: _room_sync, Bye: _bye}
"""The classes that have another form on the wire than their attributes."""


def _noted(schema: Object, note: str | None) -> Object:
    return schema if note is None or REF in schema else {**schema, "description": note}


def _is_key(attribute: "attrs.Attribute[Any]") -> bool:
    return attribute.name == "key"
