"""How what a transcript expects is compared with what a client did."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from chatcore.ids import private_room_id

from .story import Object

KEY_LENGTH_MIN = 11
"""Characters of a key of 64 random bits in base64."""


class Difference(Exception):
    """A client did or shows something else than the transcript expects."""


@define
class Names:
    """The values that stand behind `$name`."""

    values: dict[str, Any] = field(factory=dict)

    def substituted(self, value: Any) -> Any:
        """Return a frame with the values in place of their names."""
        match value:
            case dict():
                return {name: self.substituted(each) for name, each in value.items()}
            case list():
                return [self.substituted(each) for each in value]
            case str() if value.startswith("$"):
                return self.values[value]
            case _:
                return value

    def copy(self) -> "Names":
        return Names(dict(self.values))

    def take(self, other: "Names") -> None:
        self.values = other.values

    def match(self, name: str, value: Any, where: str) -> None:
        if name in self.values:
            equal(self.values[name], value, where)
        elif value is None:
            raise Difference(f"{where} is missing")
        elif value in self.values.values():
            raise Difference(f"{where} is {value!r} as before, and must be another value")
        elif where.endswith(".key") and len(value) < KEY_LENGTH_MIN:
            raise Difference(f"{where} is {value!r}, which is too short for 64 random bits")
        else:
            self.values[name] = value


def equal(expected: Any, actual: Any, where: str) -> None:
    if expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        raise Difference(f"{where} is {actual!r}, and must be {expected!r}")


def match(expected: Any, actual: Any, names: Names, where: str, *, whole: bool = False) -> None:
    """Raise `Difference` unless ``actual`` is as expected. A ``whole`` object has no further fields."""
    match expected:
        case str() if expected.startswith("$"):
            names.match(expected, actual, where)
        case dict():
            if not isinstance(actual, Mapping):
                raise Difference(f"{where} is {actual!r}, and must be an object like {expected!r}")
            for name, value in expected.items():
                match(value, actual.get(name), names, f"{where}.{name}", whole=whole)
            if whole and (further := actual.keys() - expected.keys()):
                raise Difference(f"{where} has also {', '.join(sorted(further))}")
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                raise Difference(
                    f"{where} is {shortened(actual)}, and must have {len(expected)} elements like {shortened(expected)}"
                )
            for index, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
                match(wanted, found, names, f"{where}[{index}]", whole=whole)
        case _:
            equal(expected, actual, where)


def shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 2000 else f"{text[:1000]} … {text[-1000:]}"


def frame_like(expected: Object, actual: Object, user: str) -> Object:
    """Return the command that a client sent as the transcript would write it, where there are several ways."""
    data = dict(actual["data"])
    wanted = expected["data"]
    match actual["event"]:
        case "history" if "lacks" in wanted:
            return {**actual, "data": _range_asked_for(data, wanted["lacks"][1], user)}
        case "message.send" if "room" in wanted:
            return {**actual, "data": with_room(data, user)}
        case "rooms":
            return {**actual, "data": {name: value for name, value in data.items() if name != "limit"}}
        case _:
            return actual


def with_room(data: Object, user: str) -> Object:
    """Return the fields of a message with `room` in place of `to`."""
    if "to" not in data:
        return data
    return {"room": private_room_id(user, data["to"]), **{name: value for name, value in data.items() if name != "to"}}


def _range_asked_for(data: Object, newest: int, user: str) -> Object:
    """Return the room and the range of seqs that a `history` asks for."""
    room = data["room"] if "room" in data else private_room_id(user, data["with"])
    anchor, before, after = data.get("anchor", "newest"), data.get("before"), data.get("after")
    if before is None and after is None:
        before, after = (50, 0) if anchor == "newest" else (0, 50) if anchor == "oldest" else (25, 25)
    before, after = before or 0, after or 0
    match anchor:
        case "newest":
            first, last = newest - before + 1, newest
        case "oldest":
            first, last = 1, after
        case _:
            first, last = anchor - before, anchor + after
    rest = {name: value for name, value in data.items() if name not in ("room", "with", "anchor", "before", "after")}
    return {"room": room, "lacks": [max(first, 1), last], **rest}
