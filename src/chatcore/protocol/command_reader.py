"""Commands from their wire objects."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, ClassValidationError, ForbiddenExtraKeysError

from ..commands.command import Command
from ..commands.fields import wire_name
from ..commands.table import COMMANDS
from ..errors import ChatError, Invalid
from .converter import CONVERTER

_STRUCTURE: Mapping[str, tuple[type[Command[Any]], Callable[[object, Any], Command[Any]]]] = {
    name: (command, CONVERTER.get_structure_hook(command)) for name, command in COMMANDS.items()
}

_PLAIN_TYPES: Mapping[object, type] = {str: str, int: int, str | None: str, int | None: int}


def _plain_fields(command: type[Command[Any]]) -> Mapping[str, type]:
    """Return the strings and integers among the fields of a command, each with its type."""
    return {
        attribute.name: _PLAIN_TYPES[attribute.type]
        for attribute in attrs.fields(attrs.resolve_types(command))
        if attribute.type in _PLAIN_TYPES and wire_name(attribute) == attribute.name
    }


_PLAIN_FIELDS: Mapping[str, Mapping[str, type]] = {name: _plain_fields(command) for name, command in COMMANDS.items()}


def read_command(name: str, data: object) -> Command[Any]:
    """Return the command that a client sent.

    Args:
        name: the command's name, which is the Socket.IO event.
        data: the command's fields, a wire object.

    Raises:
        Invalid: there is no such command, or ``data`` does not fit it; ``field`` is the invalid field, if there is one.
    """
    row = _STRUCTURE.get(name)
    if row is None:
        raise Invalid("Unknown command.")
    if type(data) is not dict:
        raise Invalid("A command must be one object.")
    command, structure = row
    plain = _PLAIN_FIELDS[name]
    for field, value in data.items():
        if type(value) is not plain.get(field):
            break
    else:
        # No value needs conversion. Most messages take this path, in half of the time of the other.
        try:
            return command(**data)
        except TypeError:  # a field is missing, and the structure function finds out which
            pass
    try:
        return structure(data, command)
    except ClassValidationError as error:
        failure = _first_failure(error)
        _forget_frames(error)
    try:
        raise failure
    finally:
        del failure  # the error's traceback refers to this frame: a reference cycle


def _forget_frames(group: BaseValidationError) -> None:
    """Break the reference cycles of cattrs: its frames keep lists of errors, and the errors keep the frames."""
    for error in group.exceptions:
        error.__traceback__ = None
        if isinstance(error, BaseValidationError):
            _forget_frames(error)


def _first_failure(group: ClassValidationError) -> ChatError:
    """Return the first of the errors as an error for clients."""
    error = group.exceptions[0]
    if isinstance(error, ChatError):
        return error
    if isinstance(error, ForbiddenExtraKeysError):
        return Invalid("Unknown field.", field=min(error.extra_fields))
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
    field = wire_name(getattr(attrs.fields(group.cl), notes[0].name)) if notes else None
    return Invalid(f"{field} is {'missing' if isinstance(error, KeyError) else 'not valid'}.", field=field)
