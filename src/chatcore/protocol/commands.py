"""What a client means by a name and an object."""

from typing import Any

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, ClassValidationError, ForbiddenExtraKeysError

from ..commands.command import Command
from ..commands.fields import wire_name
from ..commands.table import COMMANDS
from ..errors import ChatError, Invalid
from .converter import CONVERTER


def read_command(name: str, data: object) -> Command[Any]:
    """The command that a client means. Raises `Invalid`, with ``field`` where one is wrong."""
    command = COMMANDS.get(name)
    if command is None:
        raise Invalid("Unknown command.")
    if type(data) is not dict:
        raise Invalid("A command must be one object.")
    try:
        return CONVERTER.structure(data, command)
    except ClassValidationError as error:
        wrong = _what_is_wrong(error)
        _forget_frames(error)
    try:
        raise wrong
    finally:
        del wrong  # this frame, to which the error's traceback refers, would refer to the error


def _forget_frames(group: BaseValidationError) -> None:
    """Break the reference cycles of cattrs: its frames keep lists of errors, which refer to the frames."""
    for error in group.exceptions:
        error.__traceback__ = None
        if isinstance(error, BaseValidationError):
            _forget_frames(error)


def _what_is_wrong(group: ClassValidationError) -> ChatError:
    """The first of the errors, as clients are told it."""
    error = group.exceptions[0]
    if isinstance(error, ChatError):
        return error
    if isinstance(error, ForbiddenExtraKeysError):
        return Invalid("Unknown field.", field=min(error.extra_fields))
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
    field = wire_name(getattr(attrs.fields(group.cl), notes[0].name)) if notes else None
    return Invalid(f"{field} is {'missing' if isinstance(error, KeyError) else 'not valid'}.", field=field)
