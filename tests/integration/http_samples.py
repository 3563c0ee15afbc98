"""For every route of a command a request that succeeds, and for every field of a command what it must not be.

`test_http_input` fails when a command, a route or a field is missing here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from attrs import field, frozen

from chatcore.commands.command import Command
from chatcore.commands.table import COMMANDS
from chatcore.ids import created_room_id

Json: TypeAlias = Any

GROUP = created_room_id("alice", "the group")
"""Of alice and bob; `http_world` makes it, and bob's public room."""
PUBLIC = created_room_id("bob", "the public room")
OTHERS_GROUP = created_room_id("bob", "a group of others")
"""Of bob and carol."""


@frozen(kw_only=True)
class Sample:
    """A request of alice that succeeds: what stands in its path, and its other fields."""

    command: str
    method: str
    path: str
    in_path: Mapping[str, str] = field(factory=dict)
    fields: Mapping[str, Json] = field(factory=dict)
    status: int = 200

    @property
    def kind(self) -> type[Command[Any]]:
        return COMMANDS[self.command]

    @property
    def in_query(self) -> bool:
        return self.method in ("GET", "DELETE")


SEND: Mapping[str, Json] = {"key": "a key", "body": "hello"}
SAMPLES = (
    Sample(
        command="message.send",
        method="POST",
        path="/rooms/{room}/messages",
        in_path={"room": GROUP},
        fields=SEND,
        status=201,
    ),
    Sample(
        command="message.send",
        method="POST",
        path="/users/{to}/messages",
        in_path={"to": "bob"},
        fields=SEND,
        status=201,
    ),
    Sample(command="history", method="GET", path="/rooms/{room}/entries", in_path={"room": GROUP}),
    Sample(command="history", method="GET", path="/users/{with}/entries", in_path={"with": "bob"}),
    Sample(command="sync", method="POST", path="/sync", fields={"cursors": {"pvt-alice-bob": {"seq": 0}}}),
    Sample(command="rooms", method="GET", path="/rooms"),
    Sample(command="room.get", method="GET", path="/rooms/{room}", in_path={"room": GROUP}),
    Sample(
        command="room.create",
        method="POST",
        path="/rooms",
        fields={"kind": "group", "title": "A group", "key": "a key"},
        status=201,
    ),
    Sample(
        command="room.join",
        method="PUT",
        path="/rooms/{room}/members/{self}",
        in_path={"room": PUBLIC, "self": "alice"},
    ),
)

# What a field must not be: JSON in a body, texts in a query, segments as they are sent in a path.

NO_TEXTS: Sequence[Json] = (5, True, 1.5, None, ["x"], {"x": 1})
KEYS: Sequence[Json] = (*NO_TEXTS, "", "x" * 65, "x" * 5000)
USERS: Sequence[Json] = (
    "bob", 5, True, None, {"bob": 1}, [5], [None], [["bob"]], [""], ["."], [".."], ["a\0b"], ["x" * 129], ["bob", True],
)  # fmt: skip
NO_USER_SEGMENTS: Sequence[str] = (
    "", "%2E", "%2E%2E", "%00", "a%0Ab", "%7F", "%C2%85", "x" * 129, "%F0%9F%98%80" * 129, "%ff", "%zz", "%", "a%2",
    "%ed%a0%80",
)  # fmt: skip
NO_ROOM_SEGMENTS: Sequence[str] = ("%ff", "%zz", "%", "x%2")
NO_INTEGERS: Sequence[str] = (
    "x", "true", "null", "-1", "+1", "%201", "1%20", "1.0", "1.5", "1e1", "0x1", "01", "1_0", "%D9%A5", "%EF%BC%91",
    "9" * 40, "{}", "[1]",
)  # fmt: skip
COUNTS: Sequence[str] = (*NO_INTEGERS, "201", "9007199254740992")

WRONG: Mapping[str, Mapping[str, Sequence[Json]]] = {
    "message.send": {
        "room": NO_ROOM_SEGMENTS,
        "to": NO_USER_SEGMENTS,
        "key": KEYS,
        "body": (*NO_TEXTS, "", "x" * 16_385, "é" * 8_193),
        "data": (
            5, True, None, "{}", [], [{}], {"x": "y" * 8_192}, {"x" * 8_192: 1}, {"x": [0] * 5_000},
        ),
        "reply_to": (0, -1, 1.5, 1.0, "1", True, None, [1], {"seq": 1}),
        "mentions": (*USERS, ["bob"] * 51),
    },
    "history": {
        "room": NO_ROOM_SEGMENTS,
        "with": NO_USER_SEGMENTS,
        "anchor": (*NO_INTEGERS, "0", "newest%20", "NEWEST", "9007199254740993"),
        "before": COUNTS,
        "after": COUNTS,
        "messages_only": ("1", "0", "True", "yes", "null", "%22true%22", "truefalse"),
    },
    "sync": {
        "cursors": (
            5, True, None, "x", [], [{"seq": 1}], {"x": 5}, {"x": None}, {"x": []}, {"x": {}}, {"x": {"seq": -1}},
            {"x": {"seq": "1"}}, {"x": {"seq": True}}, {"x": {"seq": 1.0}}, {"x": {"seq": None}}, {"x": {"seq": 1}},
            {"x": {"seq": 1, "epoch": 5}}, {"x": {"seq": 1, "epoch": None}}, {"x": {"seq": 0, "nonsense": 1}},
            {f"x{n}": {"seq": 0} for n in range(501)},
        ),
    },
    "rooms": {
        "after": ("x", "%22", "null", "e30", "AAAA", "%F0%9F%98%80", "x" * 1025, "x" * 5000),
        "limit": (*NO_INTEGERS, "0", "201"),
    },
    "room.get": {"room": NO_ROOM_SEGMENTS},
    "room.create": {
        "kind": (*NO_TEXTS, "", "private", "Group", "public "),
        "title": (*NO_TEXTS, "", "x" * 201, "\N{GRINNING FACE}" * 201),
        "members": (*USERS, ["bob"] * 101),
        "key": KEYS,
    },
    "room.join": {"room": NO_ROOM_SEGMENTS, "key": KEYS},
}  # fmt: skip


def path_of(sample: Sample, **segments: str) -> str:
    """The path as it is sent; ``segments`` replace values as they stand there, percent-encoded or worse."""
    path = sample.path
    for name, value in sample.in_path.items():
        path = path.replace(f"{{{name}}}", segments.get(name, quote(value, safe="")))
    return path


def query_of(fields: Mapping[str, Json]) -> str:
    return f"?{urlencode(fields)}" if fields else ""


@frozen
class Request:
    """What alice sends instead, and the field of the refusal."""

    name: str
    method: str
    path: str
    body: Json = None
    refused: str | None = None


def wrong_fields(sample: Sample) -> Iterator[Request]:
    """A request for each wrong value of each field of the sample's command that this route takes."""
    for name, values in WRONG[sample.command].items():
        if name in ("room", "to", "with") and name not in sample.in_path:
            continue
        for number, value in enumerate(values):
            yield _with(sample, name, value, f"{sample.method} {sample.path} {name} {number}")


def _with(sample: Sample, name: str, value: Json, title: str) -> Request:
    if name in sample.in_path:
        path, body = path_of(sample, **{name: value}) + _query(sample), _body(sample)
    elif sample.in_query:
        path, body = f"{path_of(sample)}?{name}={value}", None
    else:
        path, body = path_of(sample), {**sample.fields, name: value}
    return Request(title, sample.method, path, body, name)


def _query(sample: Sample) -> str:
    return query_of(sample.fields) if sample.in_query else ""


def _body(sample: Sample) -> Json:
    return None if sample.in_query else dict(sample.fields)
