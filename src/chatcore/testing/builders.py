"""Builders of entries for tests. Every argument has a fitting default, so a test names only what matters to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ..domain.entries import (
    Banned,
    Data,
    Deleted,
    Edited,
    Entry,
    Event,
    Invited,
    Joined,
    Left,
    Message,
    Opened,
    Reacted,
    Removed,
    Role,
    RoleChanged,
    RoomKind,
    RoomOpening,
    Unbanned,
    Updated,
)
from ..ids import Key, RoomId, Seq, UserId

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The time of seq 0 of a room. Each entry is one second later than the one before."""


def opens(*users: UserId, kind: RoomKind = "group", title: str | None = None) -> RoomOpening:
    """Return the opening of a room with these members. The first one is the owner, except in a private room."""
    first: Role = "member" if kind == "private" else "owner"
    return RoomOpening(kind=kind, members={user: "member" if n else first for n, user in enumerate(users)}, title=title)


def entry(
    event: Event,
    room: RoomId = "room",
    seq: Seq = 1,
    author: UserId = "alice",
    *,
    key: Key | None = None,
    digest: str | None = "digest",
    opens: RoomOpening | None = None,
    at: datetime | None = None,
) -> Entry:
    """Return an entry. Without ``opens``, seq 1 opens a group of its author and bob."""
    if seq == 1 and opens is None:
        opens = RoomOpening(kind="group", members={author: "owner", "bob": "member"})
    return Entry(
        room=room,
        seq=seq,
        author=author,
        at=at or NOON + timedelta(seconds=seq),
        key=key or f"key-{seq}",
        digest=digest,
        event=event,
        opens=opens,
    )


def message(
    room: RoomId = "room",
    seq: Seq = 1,
    author: UserId = "alice",
    *,
    key: Key | None = None,
    digest: str | None = "digest",
    opens: RoomOpening | None = None,
    at: datetime | None = None,
    body: str = "hi",
    data: Data | None = None,
    reply_to: Seq | None = None,
    mentions: Sequence[UserId] = (),
) -> Entry:
    event = Message(body=body, data=data, reply_to=reply_to, mentions=tuple(mentions))
    return entry(event, room, seq, author, key=key, digest=digest, opens=opens, at=at)


def opened(room: RoomId = "room", author: UserId = "alice", *, key: Key | None = None, opens: RoomOpening) -> Entry:
    return entry(Opened(), room, 1, author, key=key, opens=opens)


def joined(room: RoomId, seq: Seq, user: UserId, *, role: Role = "member", key: Key | None = None) -> Entry:
    return entry(Joined(user=user, role=role), room, seq, user, key=key)


def edited(
    seq: Seq, target: Seq = 1, body: str | None = "edited", *, version: int = 2, author: UserId = "alice"
) -> Entry:
    return entry(Edited(target=target, version=version, body=body), seq=seq, author=author)


def deleted(seq: Seq, target: Seq = 1, *, author: UserId = "alice") -> Entry:
    return entry(Deleted(target=target), seq=seq, author=author)


def reacted(seq: Seq, author: UserId, emoji: str = "👍", *, target: Seq = 1, on: bool = True) -> Entry:
    return entry(Reacted(target=target, emoji=emoji, on=on), seq=seq, author=author)


def left(room: RoomId, seq: Seq, user: UserId) -> Entry:
    return entry(Left(user=user), room, seq, user)


def invited(room: RoomId, seq: Seq, user: UserId) -> Entry:
    return entry(Invited(user=user), room, seq)


def removed(room: RoomId, seq: Seq, user: UserId, reason: str | None = None) -> Entry:
    return entry(Removed(user=user, reason=reason), room, seq)


def banned(room: RoomId, seq: Seq, user: UserId, reason: str | None = None) -> Entry:
    return entry(Banned(user=user, reason=reason), room, seq)


def unbanned(room: RoomId, seq: Seq, user: UserId) -> Entry:
    return entry(Unbanned(user=user), room, seq)


def role_changed(room: RoomId, seq: Seq, user: UserId, role: Role) -> Entry:
    return entry(RoleChanged(user=user, role=role), room, seq)


def updated(room: RoomId, seq: Seq, title: str) -> Entry:
    return entry(Updated(title=title), room, seq)


def conversation(
    room: RoomId = "room", count: int = 10, *, users: Sequence[UserId] = ("alice", "bob"), kind: RoomKind = "group"
) -> Sequence[Entry]:
    """Return the messages 1 to ``count`` of a room, sent by its members in turn."""
    opening = opens(*users, kind=kind)
    return [
        message(room, seq, users[(seq - 1) % len(users)], body=f"message {seq}", opens=opening if seq == 1 else None)
        for seq in range(1, count + 1)
    ]
