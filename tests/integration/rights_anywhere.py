"""The requests for the rows of the rights table that concern no room."""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from chatcore.ids import UserId, new_id
from tests.integration.http_node import PASSWORD
from tests.integration.rights_requests import Fields
from tests.integration.rights_rooms import Cast

BLOCK, UNBLOCK = "PUT /blocks/{user}", "DELETE /blocks/{user}"


@frozen(kw_only=True)
class Asker:
    """The user who asks, and the values for the questions."""

    cast: Cast
    user: UserId
    other: UserId
    """Another user, who is signed in."""
    refresh_token: str
    own_socket: str
    others_socket: str
    expired_token: str

    @property
    def own_token(self) -> str:
        return self.cast.node.tokens[self.user]

    @property
    def others_token(self) -> str:
        return self.cast.node.tokens[self.other]


@frozen(kw_only=True)
class Elsewhere:
    """A row without a room.

    ``command`` is None if only HTTP has the row, ``routes`` are empty if only sockets have it.
    """

    fields: Callable[[Asker], Fields]
    command: str | None = None
    routes: Sequence[str] = ()
    success: int = 200


def _send(whom: str) -> Elsewhere:
    return Elsewhere(
        command="message.send",
        routes=("POST /users/{to}/messages",),
        fields=lambda asker: {"to": f"{whom}-{asker.cast.number}", "key": new_id(), "body": "hello"},
        success=201,
    )


def _history(whom: str) -> Elsewhere:
    return Elsewhere(
        command="history",
        routes=("GET /users/{with}/entries",),
        fields=lambda asker: {"with": f"{whom}-{asker.cast.number}"},
    )


def _profiles(whom: str) -> Elsewhere:
    return Elsewhere(
        command="profiles",
        routes=("GET /profiles",),
        fields=lambda asker: {"users": [f"{whom}-{asker.cast.number}"]},
    )


def _presence(whom: str) -> Elsewhere:
    return Elsewhere(
        command="presence",
        routes=("GET /presence",),
        fields=lambda asker: {"users": [f"{whom}-{asker.cast.number}"]},
    )


def _about(command: str, route: str, whom: str) -> Elsewhere:
    return Elsewhere(
        command=command,
        routes=(route,),
        fields=lambda asker: {"user": asker.user if whom == "oneself" else f"{whom}-{asker.cast.number}"},
    )


def _create(*members: str) -> Elsewhere:
    return Elsewhere(
        command="room.create",
        routes=("POST /rooms",),
        fields=lambda asker: {
            "kind": "group",
            "title": "Tea",
            "key": new_id(),
            "members": [f"{member}-{asker.cast.number}" for member in members],
        },
        success=201,
    )


def _end(socket: Callable[[Asker], str]) -> Elsewhere:
    return Elsewhere(routes=("DELETE /sockets/{id}",), fields=lambda asker: {"id": socket(asker)}, success=204)


ELSEWHERE: Mapping[str, Elsewhere] = {
    "message.send to a stranger": _send("other-stranger"),
    "message.send to nobody": _send("other-nobody"),
    "history with a stranger": _history("other-stranger"),
    "history with nobody": _history("other-nobody"),
    "unread": Elsewhere(command="unread", routes=("GET /unread",), fields=lambda _: {}),
    "profiles of a stranger": _profiles("other-stranger"),
    "profiles of nobody": _profiles("other-nobody"),
    "rooms.public": Elsewhere(command="rooms.public", routes=("GET /public-rooms",), fields=lambda _: {}),
    "people": Elsewhere(command="people", routes=("GET /users",), fields=lambda _: {"prefix": "other"}),
    "block a stranger": _about("block", BLOCK, "other-stranger"),
    "block nobody": _about("block", BLOCK, "other-nobody"),
    "block oneself": _about("block", BLOCK, "oneself"),
    "unblock a stranger": _about("unblock", UNBLOCK, "other-stranger"),
    "unblock nobody": _about("unblock", UNBLOCK, "other-nobody"),
    "blocks": Elsewhere(command="blocks", routes=("GET /blocks",), fields=lambda _: {}),
    "presence of a stranger": _presence("other-stranger"),
    "presence of nobody": _presence("other-nobody"),
    "presence of a blocker": _presence("other-admin"),
    "presence.set": Elsewhere(command="presence.set", fields=lambda _: {"state": "online"}),
    "message.send to a blocker": _send("other-admin"),
    "history with a blocker": _history("other-admin"),
    "room.create with a blocker": _create("other-stranger", "other-admin"),
    "room.create": _create(),
    "room.create with a stranger": _create("other-stranger"),
    "room.create with nobody": _create("other-stranger", "other-nobody"),
    "auth.refresh with one's own token": Elsewhere(
        command="auth.refresh", fields=lambda asker: {"token": asker.own_token}
    ),
    "auth.refresh with another's token": Elsewhere(
        command="auth.refresh", fields=lambda asker: {"token": asker.others_token}
    ),
    "auth.refresh with an expired token": Elsewhere(
        command="auth.refresh", fields=lambda asker: {"token": asker.expired_token}
    ),
    "sign up": Elsewhere(
        routes=("POST /accounts",),
        fields=lambda _: {"user": new_id().strip("-_")[:16].lower(), "password": PASSWORD},
        success=201,
    ),
    "sign in": Elsewhere(
        routes=("POST /sessions",), fields=lambda asker: {"user": asker.user, "password": PASSWORD}, success=201
    ),
    "refresh": Elsewhere(
        routes=("POST /sessions/refresh",), fields=lambda asker: {"refresh_token": asker.refresh_token}
    ),
    "sign out": Elsewhere(routes=("DELETE /sessions/current",), fields=lambda _: {}, success=204),
    "list sockets": Elsewhere(routes=("GET /sockets",), fields=lambda _: {}),
    "end one's own socket": _end(lambda asker: asker.own_socket),
    "end another's socket": _end(lambda asker: asker.others_socket),
    "end a socket that never was": _end(lambda _: "never"),
}
