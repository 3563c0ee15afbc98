"""The converter between wire objects and attrs classes.

It is strict: ``"5"``, ``true`` and ``null`` are not integers, and an unknown field is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, get_args

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ..commands.history import History
from ..commands.sync import Cursor
from ..domain.entries import Banned, Data, Edited, Removed, RoomOpening
from ..ids import UserId


def _exactly(*kinds: type) -> Callable[[object, Any], Any]:
    """Return a hook that accepts values of ``kinds`` unchanged; cattrs itself converts ``"5"`` to 5."""

    def structure(value: object, _: Any) -> Any:
        if type(value) not in kinds:
            raise TypeError
        return value

    return structure


def _user_list(value: object, _: Any) -> list[UserId]:
    if type(value) is not list or any(type(user) is not str for user in value):
        raise TypeError
    return value


def _cursors(value: object, _: Any) -> dict[str, Cursor]:
    if type(value) is not dict:
        raise TypeError
    return {room: CONVERTER.structure(cursor, Cursor) for room, cursor in value.items()}


def _is_optional(kind: Any) -> bool:
    return isinstance(kind, UnionType) and type(None) in get_args(kind)


def _unless_null(converter: Converter, kind: Any) -> Callable[[object, Any], Any]:
    """Return a hook that rejects null: a client leaves out an optional field without a value."""
    (inner,) = (member for member in get_args(kind) if member is not type(None))
    structure_inner = converter.get_structure_hook(inner)

    def structure(value: object, _: Any) -> Any:
        if value is None:
            raise TypeError
        return structure_inner(value, inner)

    return structure


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook_func(lambda kind: kind == str | int, _exactly(str, int))
    converter.register_structure_hook_func(lambda kind: kind == Data, _exactly(dict))
    converter.register_structure_hook_func(lambda kind: kind == Sequence[UserId], _user_list)
    converter.register_structure_hook_func(lambda kind: kind == Mapping[str, Cursor], _cursors)
    converter.register_structure_hook_factory(_is_optional, lambda kind: _unless_null(converter, kind))
    omitted = override(omit_if_default=True)
    converter.register_unstructure_hook(Edited, make_dict_unstructure_fn(Edited, converter, body=omitted))
    for event in (Removed, Banned):
        converter.register_unstructure_hook(event, make_dict_unstructure_fn(event, converter, reason=omitted))
    converter.register_unstructure_hook(RoomOpening, make_dict_unstructure_fn(RoomOpening, converter, title=omitted))
    converter.register_structure_hook(History, make_dict_structure_fn(History, converter, peer=override(rename="with")))
    return converter


CONVERTER = _converter()
