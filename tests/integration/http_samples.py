"""A successful request for every route of a command, and invalid values for every field of a command.

`test_http_input` fails if a command, a route or a field is missing here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from attrs import field, frozen

from chatcore.commands.command import Command, Route
from chatcore.commands.table import COMMANDS
from chatcore.ids import created_room_id, private_room_id

Json: TypeAlias = Any

GROUP = created_room_id("alice", "the group")
"""The group of alice and bob. `http_world` creates it, and bob's public room."""
PUBLIC = created_room_id("bob", "the public room")
BOBS_GROUP = created_room_id("bob", "a group of bob")
"""The group that bob created, with alice as a member."""
PRIVATE = private_room_id("alice", "bob")
"""The private room of alice and bob: seq 1 is a message of alice, seq 2 a message of bob."""
OTHERS_GROUP = created_room_id("bob", "a group of others")
"""The group of bob and carol."""


@frozen(kw_only=True)
class Sample:
    """A successful request of alice: the fields in its path, and the other fields."""

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
    def fixed(self) -> Mapping[str, Json]:
        """The fields that the method of the route implies."""
        (route,) = (route for route in self.kind.routes if self.is_of(route))
        return route.fixed

    def is_of(self, route: Route) -> bool:
        return (self.method, self.path) == (route.method, route.path)

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
    Sample(command="sync", method="POST", path="/sync", fields={"cursors": {PRIVATE: {"seq": 0}}}),
    Sample(command="rooms", method="GET", path="/rooms"),
    Sample(command="rooms.public", method="GET", path="/public-rooms"),
    Sample(command="unread", method="GET", path="/unread"),
    Sample(command="profiles", method="GET", path="/profiles", fields={"user": "bob"}),
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
    Sample(
        command="room.leave",
        method="DELETE",
        path="/rooms/{room}/members/{self}",
        in_path={"room": BOBS_GROUP, "self": "alice"},
    ),
    Sample(
        command="message.edit",
        method="PATCH",
        path="/rooms/{room}/messages/{seq}",
        in_path={"room": PRIVATE, "seq": "1"},
        fields={"version": 1, "body": "hello again"},
    ),
    Sample(
        command="message.delete",
        method="DELETE",
        path="/rooms/{room}/messages/{seq}",
        in_path={"room": PRIVATE, "seq": "1"},
    ),
    Sample(
        command="message.react",
        method="PUT",
        path="/rooms/{room}/messages/{seq}/reactions/{emoji}",
        in_path={"room": PRIVATE, "seq": "2", "emoji": "\N{THUMBS UP SIGN}"},
    ),
    Sample(
        command="message.react",
        method="DELETE",
        path="/rooms/{room}/messages/{seq}/reactions/{emoji}",
        in_path={"room": PRIVATE, "seq": "2", "emoji": "/"},
    ),
    Sample(
        command="room.update",
        method="PATCH",
        path="/rooms/{room}",
        in_path={"room": GROUP},
        fields={"title": "Another title"},
    ),
    Sample(
        command="room.invite",
        method="PUT",
        path="/rooms/{room}/invitations/{user}",
        in_path={"room": GROUP, "user": "carol"},
    ),
    Sample(
        command="room.remove",
        method="DELETE",
        path="/rooms/{room}/members/{user}",
        in_path={"room": GROUP, "user": "bob"},
        fields={"reason": "spam"},
    ),
    Sample(
        command="room.remove",
        method="DELETE",
        path="/rooms/{room}/invitations/{user}",
        in_path={"room": GROUP, "user": "bob"},
    ),
    Sample(
        command="room.ban",
        method="PUT",
        path="/rooms/{room}/bans/{user}",
        in_path={"room": GROUP, "user": "bob"},
        fields={"reason": "spam"},
    ),
    Sample(
        command="room.unban",
        method="DELETE",
        path="/rooms/{room}/bans/{user}",
        in_path={"room": GROUP, "user": "bob"},
    ),
    Sample(
        command="room.role",
        method="PATCH",
        path="/rooms/{room}/members/{user}",
        in_path={"room": GROUP, "user": "bob"},
        fields={"role": "admin"},
    ),
    Sample(command="room.members", method="GET", path="/rooms/{room}/members", in_path={"room": GROUP}),
    Sample(
        command="mark",
        method="PUT",
        path="/rooms/{room}/marker",
        in_path={"room": PRIVATE},
        fields={"read": 1},
    ),
    Sample(command="people", method="GET", path="/users", fields={"prefix": "b"}),
    Sample(command="block", method="PUT", path="/blocks/{user}", in_path={"user": "bob"}),
    Sample(command="unblock", method="DELETE", path="/blocks/{user}", in_path={"user": "bob"}),
    Sample(command="blocks", method="GET", path="/blocks"),
    Sample(command="presence", method="GET", path="/presence", fields={"user": "bob"}),
)
SOCKET_ONLY: Mapping[str, Mapping[str, Json]] = {
    "typing": {"room": PRIVATE, "on": True},
    "auth.refresh": {"token": "a token"},
    "presence.set": {"state": "away"},
}
"""The fields of the commands without a route."""

# Invalid values of fields: JSON in a body, texts in a query, segments as they are sent in a path.

NO_TEXTS: Sequence[Json] = (5, True, 1.5, None, ["x"], {"x": 1})
REASONS: Sequence[Json] = (*NO_TEXTS, "x" * 501, "\N{GRINNING FACE}" * 501)
TITLES: Sequence[Json] = (
    *NO_TEXTS, "", "x" * 201, "\N{GRINNING FACE}" * 201, "a\0b", "a\nb", "\t", "\x1b[31m", "\x7f", "a\u0085",
)  # fmt: skip
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
SEQS: Sequence[str] = ("", *NO_INTEGERS, "0", "9007199254740993", "%ff")
EMOJI: Sequence[str] = ("", "%ff", "%zz", "%", "x" * 65, "%F0%9F%98%80" * 17, "%00", "a%0A", "%C2%85")
NUMBERS: Sequence[Json] = (-1, 1.5, 1.0, "1", True, None, [1], {"seq": 1})
NO_BOOLEANS: Sequence[Json] = (0, 1, "true", "", None, [True], {})

WRONG: Mapping[str, Mapping[str, Sequence[Json]]] = {
    "message.send": {
        "room": NO_ROOM_SEGMENTS,
        "to": NO_USER_SEGMENTS,
        "key": KEYS,
        "body": (*NO_TEXTS, "", "x" * 16_385, "é" * 8_193),
        "data": (
            5, True, None, "{}", [], [{}], {"x": "y" * 8_192}, {"x" * 8_192: 1}, {"x": [0] * 5_000},
        ),
        "reply_to": (0, *NUMBERS),
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
    "rooms.public": {
        "prefix": ("", "x" * 33, "%F0%9F%98%80" * 33, "%ff", "%zz", "%", "%ed%a0%80"),
        "after": ("x", "%22", "null", "e30", "WzEsMV0", "WyJhIl0", "%F0%9F%98%80", "x" * 4097),
        "limit": (*NO_INTEGERS, "0", "201"),
    },
    "unread": {},
    "profiles": {"users": ("bob", "%5B%22bob%22%5D", "x")},  # over HTTP each user is a parameter ``user``
    "room.get": {"room": NO_ROOM_SEGMENTS},
    "room.create": {
        "kind": (*NO_TEXTS, "", "private", "Group", "public "),
        "title": TITLES,
        "members": (*USERS, ["bob"] * 101),
        "key": KEYS,
    },
    "room.join": {"room": NO_ROOM_SEGMENTS, "key": KEYS},
    "room.leave": {"room": NO_ROOM_SEGMENTS, "key": KEYS},
    "message.edit": {
        "room": NO_ROOM_SEGMENTS,
        "seq": SEQS,
        "version": (0, *NUMBERS),
        "body": (*NO_TEXTS, "", "x" * 16_385, "é" * 8_193),
        "key": KEYS,
    },
    "message.delete": {"room": NO_ROOM_SEGMENTS, "seq": SEQS, "key": KEYS},
    "message.react": {
        "room": NO_ROOM_SEGMENTS,
        "seq": SEQS,
        "emoji": EMOJI,
        "on": (*NO_BOOLEANS, True, False),  # over HTTP only the method implies this field
        "key": KEYS,
    },
    "room.update": {
        "room": NO_ROOM_SEGMENTS,
        "title": TITLES,
        "key": KEYS,
    },
    "room.invite": {"room": NO_ROOM_SEGMENTS, "user": NO_USER_SEGMENTS, "key": KEYS},
    "room.remove": {"room": NO_ROOM_SEGMENTS, "user": NO_USER_SEGMENTS, "reason": REASONS, "key": KEYS},
    "room.ban": {"room": NO_ROOM_SEGMENTS, "user": NO_USER_SEGMENTS, "reason": REASONS, "key": KEYS},
    "room.unban": {"room": NO_ROOM_SEGMENTS, "user": NO_USER_SEGMENTS, "key": KEYS},
    "room.role": {
        "room": NO_ROOM_SEGMENTS,
        "user": NO_USER_SEGMENTS,
        "role": (*NO_TEXTS, "", "Owner", "guest", "banned", "admin "),
        "key": KEYS,
    },
    "room.members": {
        "room": NO_ROOM_SEGMENTS,
        "after": ("x", "%22", "null", "YQ%3D%3D", "_w", "a%20", "%F0%9F%98%80", "x" * 1025, "x" * 5000),
        "limit": (*NO_INTEGERS, "0", "201"),
    },
    "mark": {
        "room": NO_ROOM_SEGMENTS,
        "read": (3, 2**53, *NUMBERS),  # the head of `PRIVATE` is 2
        "delivered": (3, 2**53, *NUMBERS),
        "unread_from": (0, 3, 2**53, *NUMBERS),
        "muted": NO_BOOLEANS,
    },
    "people": {
        "prefix": ("", "x" * 33, "%F0%9F%98%80" * 33, "%ff", "%zz", "%", "%ed%a0%80"),
        "limit": (*NO_INTEGERS, "0", "201"),
    },
    "block": {"user": (*NO_USER_SEGMENTS, "alice")},
    "unblock": {"user": NO_USER_SEGMENTS},
    "blocks": {},
    "typing": {"room": NO_TEXTS, "on": NO_BOOLEANS},
    "presence": {"users": ("bob", "%5B%22bob%22%5D", "x")},  # as of `profiles`
    "presence.set": {"state": (*NO_TEXTS, "", "offline", "Online", "away ")},
    "auth.refresh": {"token": (*NO_TEXTS, "", "x" * 16_385)},
}  # fmt: skip
WRONG_IN_QUERY: Mapping[str, Sequence[str]] = {
    "key": ("", "x" * 65, "%F0%9F%98%80" * 65, "%ff", "%zz", "%"),
    "reason": ("", "x" * 501, "%F0%9F%98%80" * 501, "%ff", "%zz"),
    "on": ("true", "false", "1", ""),
}
"""Invalid values in a query, where every value is a text that is not empty."""


def path_of(sample: Sample, **segments: str) -> str:
    """Return the path as it is sent. ``segments`` replace values without further encoding."""
    path = sample.path
    for name, value in sample.in_path.items():
        path = path.replace(f"{{{name}}}", segments.get(name, quote(value, safe="")))
    return path


def query_of(fields: Mapping[str, Json]) -> str:
    return f"?{urlencode(fields)}" if fields else ""


@frozen
class Request:
    """A request with an invalid field, and the field that the refusal must name."""

    name: str
    method: str
    path: str
    body: Json = None
    refused: str | None = None


def wrong_fields(sample: Sample) -> Iterator[Request]:
    """Yield a request for each invalid value of each field that the route of the sample takes."""
    for name, values in WRONG[sample.command].items():
        if name in ("room", "to", "with") and name not in sample.in_path:
            continue
        if sample.in_query and name not in sample.in_path:
            values = WRONG_IN_QUERY.get(name, values)
        for number, value in enumerate(values):
            yield _with(sample, name, value, f"{sample.method} {sample.path} {name} {number}")


def _with(sample: Sample, name: str, value: Json, title: str) -> Request:
    if name in sample.in_path:
        path, body = path_of(sample, **{name: value}) + _query(sample), _body(sample)
        name = "user" if name in ("to", "with") else name
    elif sample.in_query:
        others = query_of({other: given for other, given in sample.fields.items() if other != name})
        path, body = f"{path_of(sample)}{others}{'&' if others else '?'}{name}={value}", None
    else:
        path, body = path_of(sample), {**sample.fields, name: value}
    return Request(title, sample.method, path, body, name)


def _query(sample: Sample) -> str:
    return query_of(sample.fields) if sample.in_query else ""


def _body(sample: Sample) -> Json:
    return None if sample.in_query else dict(sample.fields)
