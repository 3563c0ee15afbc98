"""The types in public signatures of `chatcore` can be imported from `chatcore`."""

import inspect
import types
import typing
from collections.abc import Iterator

import chatcore
from chatcore import Command, Socket

PUBLIC = {name: value for name, value in vars(chatcore).items() if inspect.isclass(value)}
INTERNAL = {*dir(chatcore.RoomCommand), *dir(chatcore.ReadingCommand)}
"""Methods and class attributes of commands that the domain calls."""


def annotations_of(public: type) -> Iterator[tuple[str, object]]:
    """Yield the annotations of a class's attributes and of its public methods, with the place of each."""
    for name, annotation in typing.get_type_hints(public).items():
        if not name.startswith("_"):
            yield f"{public.__name__}.{name}", annotation
    for name, member in inspect.getmembers(public):
        if name.startswith("_") and not (name == "__init__" and public is not Socket):
            continue
        function = member.fget if isinstance(member, property) else member
        if isinstance(function, types.FunctionType):
            for argument, annotation in typing.get_type_hints(function).items():
                yield f"{public.__name__}.{name}({argument})", annotation


def classes_in(annotation: object) -> Iterator[type]:
    for argument in typing.get_args(annotation):
        yield from classes_in(argument)
    outer = typing.get_origin(annotation) or annotation
    if inspect.isclass(outer):
        yield outer


def test_every_type_of_a_public_signature_is_importable_from_chatcore() -> None:
    missing = {
        place: cls.__qualname__
        for public in PUBLIC.values()
        for place, annotation in annotations_of(public)
        for cls in classes_in(annotation)
        if cls.__module__.startswith("chatcore.") and cls not in PUBLIC.values()
        if not (issubclass(public, Command) and place.partition(".")[2].partition("(")[0] in INTERNAL)
    }
    assert missing == {}


def test_every_public_name_is_imported_under_its_own_name() -> None:
    assert [name for name, value in PUBLIC.items() if value.__name__ != name] == []
