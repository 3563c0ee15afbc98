"""Examples of all commands and pushes, for the documents of the contract.

They are one story, which a test executes in this order: the seqs and heads of later answers follow from earlier
commands. Users alice, bob and carol have accounts; each is connected.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from ..ids import created_room_id, private_room_id
from .values import Object

AT = "2026-11-30T12:00:00.000Z"
EPOCH = "6hZbC0vqS2mWJx1nTtYk9w"
DEVICE = "phone"
SOCKET = "Xc3Pq8RrT1uLw5Yz7Ab2Dg"
NODE = "n4Vt6Kp0Qe8Js2Hd1Ml3Zw"
NEXT = "MTc2NDUwNDAwMDAwMHxyb29t"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.f3zQ0vUu7m2S"
REFRESH_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiJ5N0sifQ.Kp4sWm9xE2tR"
EXPIRES_IN = 900
LUNCH_KEY, REPLY_KEY, TEA_KEY = "0c9e1f6ab34d7258", "7b1d40e95a8c62f3", "e2a8640d97b1c35f"
CAKE_KEY = "5d07b2f8c94e613a"
PRIVATE = private_room_id("alice", "bob")
TEA = created_room_id("alice", TEA_KEY)
CAKE = created_room_id("bob", CAKE_KEY)


@frozen(kw_only=True)
class Example:
    """A user's command, and its answer or the error that refuses it.

    Attributes:
        path: the template of the route over HTTP, for a command whose fields fit several.
    """

    command: str
    fields: Object
    answer: Object | None = None
    error: Object | None = None
    user: str = "alice"
    path: str | None = None


_MEMBER: Object = {"role": "member", "state": "member"}
_START: Object = {"read": 0, "delivered": 0}
_REPLY: Object = {
    "room": PRIVATE,
    "seq": 2,
    "kind": "message",
    "author": "bob",
    "at": AT,
    "key": REPLY_KEY,
    "body": "Gladly",
    "version": 1,
    "reply_to": 1,
    "mentions": ["alice"],
    "data": {"mood": "good"},
}
_OPENED: Object = {
    "room": TEA,
    "seq": 1,
    "kind": "opened",
    "author": "alice",
    "at": AT,
    "key": TEA_KEY,
    "opens": {"kind": "group", "members": {"bob": "member", "alice": "owner"}, "title": "Tea"},
}
_TEA: Object = {
    "room": TEA,
    "epoch": EPOCH,
    "kind": "group",
    "title": "Tea",
    "head": 1,
    "members_count": 2,
    "me": {"role": "owner", "state": "member", **_START, "unread": 0, "muted": False},
    "last": _OPENED,
    "markers": {"alice": _START, "bob": _START},
}
_CAKE: Object = {"room": CAKE, "epoch": EPOCH, "kind": "public", "title": "Cake", "head": 1, "members_count": 1}
_BOBS_CAKE: Object = {
    **_CAKE,
    "me": {"role": "owner", "state": "member", **_START, "unread": 0, "muted": False},
    "last": {
        "room": CAKE,
        "seq": 1,
        "kind": "opened",
        "author": "bob",
        "at": AT,
        "key": CAKE_KEY,
        "opens": {"kind": "public", "members": {"bob": "owner"}, "title": "Cake"},
    },
    "markers": {"bob": _START},
}


def _changed(seq: int) -> Object:
    return {"seq": seq, "duplicate": False}


EXAMPLES: Sequence[Example] = (
    Example(
        command="message.send",
        fields={"to": "bob", "body": "Lunch?", "key": LUNCH_KEY},
        answer={"room": PRIVATE, "epoch": EPOCH, "seq": 1, "at": AT, "duplicate": False},
    ),
    Example(
        command="message.send",
        user="bob",
        fields={
            "room": PRIVATE,
            "body": "Gladly",
            "reply_to": 1,
            "mentions": ["alice"],
            "data": {"mood": "good"},
            "key": REPLY_KEY,
        },
        answer={"room": PRIVATE, "epoch": EPOCH, "seq": 2, "at": AT, "duplicate": False},
    ),
    Example(
        command="message.edit",
        fields={"room": PRIVATE, "seq": 1, "version": 1, "body": "Lunch at noon?"},
        answer={"seq": 3, "version": 2, "duplicate": False},
    ),
    Example(
        command="message.edit",
        fields={"room": PRIVATE, "seq": 1, "version": 1, "body": "Lunch at one?"},
        error={
            "code": "conflict",
            "message": "The message has another version now; read it and try again.",
            "temporary": False,
        },
    ),
    Example(
        command="message.react",
        fields={"room": PRIVATE, "seq": 2, "emoji": "👍", "on": True},
        answer=_changed(4),
    ),
    Example(
        command="history",
        fields={"room": PRIVATE, "anchor": 2, "before": 0, "after": 0},
        answer={
            "room": PRIVATE,
            "epoch": EPOCH,
            "head": 4,
            "entries": [{**_REPLY, "reactions": {"👍": {"count": 1, "users": ["alice"]}}}],
            "has_before": True,
            "has_after": True,
        },
    ),
    Example(
        command="message.react",
        fields={"room": PRIVATE, "seq": 2, "emoji": "👍", "on": False},
        answer=_changed(5),
    ),
    Example(
        command="history",
        fields={"with": "bob", "anchor": "oldest", "after": 1},
        answer={
            "room": PRIVATE,
            "epoch": EPOCH,
            "head": 5,
            "entries": [
                {
                    "room": PRIVATE,
                    "seq": 1,
                    "kind": "message",
                    "author": "alice",
                    "at": AT,
                    "key": LUNCH_KEY,
                    "body": "Lunch at noon?",
                    "version": 2,
                    "edited_at": AT,
                    "opens": {"kind": "private", "members": {"alice": "member", "bob": "member"}},
                }
            ],
            "has_before": False,
            "has_after": True,
        },
    ),
    Example(
        command="sync",
        fields={"cursors": {PRIVATE: {"seq": 4, "epoch": EPOCH}, "pvt-carol-dave": {"seq": 0}}},
        answer={
            "rooms": {
                PRIVATE: {
                    "status": "events",
                    "epoch": EPOCH,
                    "head": 5,
                    "entries": [
                        {
                            "room": PRIVATE,
                            "seq": 5,
                            "kind": "reacted",
                            "author": "alice",
                            "at": AT,
                            "target": 2,
                            "emoji": "👍",
                            "on": False,
                        }
                    ],
                    "me": {**_MEMBER, **_START, "unread": 1, "muted": False},
                    "markers": {"alice": _START, "bob": _START},
                },
                "pvt-carol-dave": {"status": "gone"},
            }
        },
    ),
    Example(command="unread", fields={}, answer={"rooms": 1, "messages": 1}),
    Example(
        command="mark",
        fields={"room": PRIVATE, "read": 2},
        answer={"read": 2, "delivered": 2, "unread": 0, "muted": False},
    ),
    Example(
        command="message.delete",
        user="bob",
        fields={"room": PRIVATE, "seq": 2},
        answer=_changed(6),
    ),
    Example(command="typing", fields={"room": PRIVATE, "on": True}, answer={}),
    Example(command="profiles", fields={"users": ["bob"]}, answer={"profiles": {"bob": {}}}),
    Example(
        command="room.create",
        fields={"kind": "group", "title": "Tea", "members": ["bob"], "key": TEA_KEY},
        answer={**_TEA, "duplicate": False},
    ),
    Example(command="rooms", fields={"limit": 1}, answer={"rooms": [_TEA], "next": NEXT}),
    Example(command="room.get", fields={"room": TEA}, answer=_TEA),
    Example(command="room.update", fields={"room": TEA, "title": "Tea at five"}, answer=_changed(2)),
    Example(command="room.invite", fields={"room": TEA, "user": "carol"}, answer=_changed(3)),
    Example(
        command="room.remove",
        fields={"room": TEA, "user": "carol"},
        answer=_changed(4),
        path="/rooms/{room}/invitations/{user}",
    ),
    Example(command="room.ban", fields={"room": TEA, "user": "carol", "reason": "no cake"}, answer=_changed(5)),
    Example(command="room.unban", fields={"room": TEA, "user": "carol"}, answer=_changed(6)),
    Example(command="room.invite", fields={"room": TEA, "user": "carol"}, answer=_changed(7)),
    Example(command="room.join", user="carol", fields={"room": TEA}, answer=_changed(8)),
    Example(command="room.role", fields={"room": TEA, "user": "carol", "role": "admin"}, answer=_changed(9)),
    Example(
        command="room.members",
        fields={"room": TEA, "limit": 2},
        answer={
            "members": [
                {"user": "alice", "role": "owner", "state": "member"},
                {"user": "bob", "role": "member", "state": "member"},
            ],
            "next": "Ym9i",
        },
    ),
    Example(command="room.leave", user="carol", fields={"room": TEA}, answer=_changed(10)),
    Example(
        command="room.remove",
        fields={"room": TEA, "user": "bob", "reason": "no tea"},
        answer=_changed(11),
        path="/rooms/{room}/members/{user}",
    ),
    Example(
        command="room.create",
        user="bob",
        fields={"kind": "public", "title": "Cake", "key": CAKE_KEY},
        answer={**_BOBS_CAKE, "duplicate": False},
    ),
    Example(command="rooms.public", fields={"prefix": "Ca"}, answer={"rooms": [_CAKE]}),
    Example(command="people", fields={"prefix": "Ca"}, answer={"people": [{"user": "carol"}]}),
    Example(
        command="presence",
        fields={"users": ["bob", "carol"]},
        answer={"presence": {"bob": {"state": "online"}, "carol": {"state": "offline"}}},
    ),
    Example(command="presence.set", user="bob", fields={"state": "away"}, answer={}),
    Example(command="block", fields={"user": "carol"}, answer={}),
    Example(command="blocks", fields={}, answer={"users": ["carol"]}),
    Example(command="unblock", fields={"user": "carol"}, answer={}),
    Example(command="auth.refresh", fields={"token": TOKEN}, answer={"expires_in": EXPIRES_IN}),
)

FIRST_STEP = 10
"""The number of the first of `EXAMPLES` in the story. Users sign up and sign in before, and out after it."""


def steps_of(command: str) -> Sequence[tuple[int, Example]]:
    """Return the examples of a command, each with its number in the story."""
    return [(step, example) for step, example in enumerate(EXAMPLES, FIRST_STEP) if example.command == command]


def step_name(step: int) -> str:
    """Return a name for a step by which steps can be sorted."""
    return f"{step:03}"


PUSH_EXAMPLES: Mapping[str, Object] = {
    "ready": {
        "protocol": 1,
        "features": ["presence"],
        "epoch": EPOCH,
        "user": "alice",
        "device": DEVICE,
        "socket": SOCKET,
        "node": NODE,
        "rooms": [],
        "expires_in": EXPIRES_IN,
    },
    "entry": _REPLY,
    "room": {
        "room": TEA,
        "epoch": EPOCH,
        "kind": "group",
        "title": "Tea",
        "head": 0,
        "members_count": 2,
        "me": {**_MEMBER, **_START, "muted": False},
        "markers": {"alice": _START, "bob": _START},
    },
    "room.gone": {"room": TEA},
    "marker": {"room": PRIVATE, "user": "alice", "read": 2, "delivered": 2},
    "typing": {"room": PRIVATE, "users": ["alice"]},
    "presence": {"user": "bob", "state": "away"},
    "auth.expiring": {"expires_in": 60},
    "bye": {"code": "kicked", "resumable": False},
}
"""What a user is pushed in the story; ``auth.expiring`` before a token ends, and ``bye`` at the end of a socket."""
