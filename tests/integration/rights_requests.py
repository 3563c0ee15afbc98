"""The requests for each row of the rights table: the fields of the command, and its routes.

Written by hand from the contract's table of commands. `test_rights_matrix` fails if a command or route of the server
is missing here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from attrs import evolve, frozen

from tests.integration.rights_rooms import EMOJI, Cell, Owners, Whom

Json: TypeAlias = Any
Fields: TypeAlias = Mapping[str, Json]

ON_MEMBERS = "DELETE /rooms/{room}/members/{user}"
ON_INVITATIONS = "DELETE /rooms/{room}/invitations/{user}"
PREFIX_MAX = 32
OWNERS: Mapping[str, Owners] = {"": "two", "the only owner": "one", "alone": "alone"}


@frozen(kw_only=True)
class Question:
    """A row of the table, as a question about a room.

    ``command`` is None if only HTTP has the row, ``routes`` are empty if only sockets have it. ``appends`` is true for
    commands that append an entry. ``method_says`` are the fields that the method of a route implies.
    """

    command: str | None
    routes: Sequence[str]
    fields: Callable[[Cell], Fields]
    appends: bool = True
    created: bool = False
    method_says: frozenset[str] = frozenset()
    owners: Owners = "two"
    reacted: bool = False


@frozen
class HttpRequest:
    method: str
    path: str
    body: Json = None


def http_request(route: str, fields: Fields, subject: str) -> HttpRequest:
    """Return the request to a route such as ``PUT /rooms/{room}/marker``: other fields go into its query or body."""
    method, path = route.split(" ")
    left = dict(fields)
    for name, value in {**fields, "self": subject}.items():
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            left.pop(name, None)
    if method in ("GET", "DELETE"):
        if "users" in left:
            left["user"] = left.pop("users")
        return HttpRequest(method, path + (f"?{urlencode(left, doseq=True)}" if left else ""))
    return HttpRequest(method, path, left)


def question(row: str) -> Question:
    """Return the question of a row of the table. Raises KeyError or ValueError for an unknown row."""
    name, _, owners = row.partition(", ")
    command, *about = name.split(" ")
    return evolve(_QUESTIONS[command](*about), owners=OWNERS[owners])


def _message_of(whose: str) -> Callable[[Cell], Fields]:
    return lambda cell: {"room": cell.room, "seq": {"own": cell.own, "another's": cell.others}[whose]}


def _send() -> Question:
    return Question(
        command="message.send",
        routes=("POST /rooms/{room}/messages",),
        fields=lambda cell: {"room": cell.room, "key": "a key", "body": "hello"},
        created=True,
    )


def _edit(whose: str) -> Question:
    return Question(
        command="message.edit",
        routes=("PATCH /rooms/{room}/messages/{seq}",),
        fields=lambda cell: {**_message_of(whose)(cell), "version": 1, "body": "something else"},
    )


def _delete(whose: str) -> Question:
    return Question(
        command="message.delete", routes=("DELETE /rooms/{room}/messages/{seq}",), fields=_message_of(whose)
    )


def _react(on_or_off: str) -> Question:
    method, on = {"on": ("PUT", True), "off": ("DELETE", False)}[on_or_off]
    return Question(
        command="message.react",
        routes=(f"{method} /rooms/{{room}}/messages/{{seq}}/reactions/{{emoji}}",),
        fields=lambda cell: {"room": cell.room, "seq": cell.others, "emoji": EMOJI, "on": on},
        method_says=frozenset({"on"}),
        reacted=not on,
    )


def _reading(command: str, route: str, **more: Json) -> Callable[[], Question]:
    return lambda: Question(
        command=command, routes=(route,), fields=lambda cell: {"room": cell.room, **more}, appends=False
    )


def _on_socket(command: str, **more: Json) -> Callable[[], Question]:
    return lambda: Question(command=command, routes=(), fields=lambda cell: {"room": cell.room, **more}, appends=False)


def _sync() -> Question:
    return Question(
        command="sync",
        routes=("POST /sync",),
        fields=lambda cell: {"cursors": {cell.room: {"seq": 0}}},
        appends=False,
    )


def _rooms() -> Question:
    return Question(command="rooms", routes=("GET /rooms",), fields=lambda _: {"limit": 200}, appends=False)


def _public_rooms() -> Question:
    return Question(
        command="rooms.public",
        routes=("GET /public-rooms",),
        fields=lambda cell: {"prefix": cell.title[:PREFIX_MAX], "limit": 1},
        appends=False,
    )


def _join(*for_another: str) -> Question:
    if for_another:
        route = "PUT /rooms/{room}/members/{user}"
        return Question(
            command=None, routes=(route,), fields=lambda cell: {"room": cell.room, "user": cell.whom("stranger")}
        )
    return _change("room.join", "PUT /rooms/{room}/members/{self}")()


def _update(*to_the_same: str) -> Question:
    return Question(
        command="room.update",
        routes=("PATCH /rooms/{room}",),
        fields=lambda cell: {"room": cell.room, "title": cell.title if to_the_same else "Cake"},
    )


def _change(command: str, route: str, **more: Json) -> Callable[[], Question]:
    return lambda: Question(command=command, routes=(route,), fields=lambda cell: {"room": cell.room, **more})


def _about(command: str, *routes: str, **more: Json) -> Callable[[Whom], Question]:
    return lambda whom: Question(
        command=command,
        routes=routes,
        fields=lambda cell: {"room": cell.room, "user": cell.whom(whom), **more},
    )


def _remove(whom: Whom) -> Question:
    # With the user's own name, the route of members means room.leave.
    routes = (ON_INVITATIONS,) if whom == "oneself" else (ON_MEMBERS, ON_INVITATIONS)
    return _about("room.remove", *routes, reason="spam")(whom)


def _role(whom: Whom, role: str) -> Question:
    return _about("room.role", "PATCH /rooms/{room}/members/{user}", role=role)(whom)


_QUESTIONS: Mapping[str, Callable[..., Question]] = {
    "message.send": _send,
    "message.edit": _edit,
    "message.delete": _delete,
    "message.react": _react,
    "history": _reading("history", "GET /rooms/{room}/entries"),
    "sync": _sync,
    "rooms": _rooms,
    "rooms.public": _public_rooms,
    "room.members": _reading("room.members", "GET /rooms/{room}/members"),
    "mark": _reading("mark", "PUT /rooms/{room}/marker", muted=True),
    "typing": _on_socket("typing", on=True),
    "room.get": _reading("room.get", "GET /rooms/{room}"),
    "room.join": _join,
    "room.leave": _change("room.leave", "DELETE /rooms/{room}/members/{self}"),
    "room.update": _update,
    "room.invite": _about("room.invite", "PUT /rooms/{room}/invitations/{user}"),
    "room.remove": _remove,
    "room.ban": _about("room.ban", "PUT /rooms/{room}/bans/{user}", reason="spam"),
    "room.unban": _about("room.unban", "DELETE /rooms/{room}/bans/{user}"),
    "room.role": _role,
}
