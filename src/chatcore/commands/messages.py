"""Commands that send, edit, delete and react to messages."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from attrs import field, frozen
from attrs.validators import optional

from ..domain.decider import Facts
from ..domain.entries import REACTIONS_MAX, Data, Deleted, Edited, Entry, Event, Message, Reacted, RoomOpening
from ..domain.permissions import Action, may_delete
from ..domain.state import RoomState
from ..errors import ChatError, Conflict, Forbidden, Invalid, NotFound
from ..ids import Key, RoomId, Seq, UserId, private_room_id
from . import fields
from .command import ChangeCommand, Conditions, Refusals, RoomCommand, Route, Routes, UserFields


@frozen(kw_only=True)
class SendResult:
    """The answer of `SendMessage`. ``duplicate`` says whether an earlier attempt with the key wrote the entry."""

    room: RoomId
    epoch: str
    seq: Seq
    at: datetime
    duplicate: bool


@frozen(kw_only=True)
class SendMessage(RoomCommand[SendResult]):
    """Send a message to a room, or ``to`` a user: to the private room of the two users.

    The first message opens the private room. ``body`` has at most 16,384 bytes in UTF-8. ``body`` may be empty if there
    is ``data``, a JSON object of at most 8 KiB.
    """

    name = "message.send"
    is_message = True
    action: ClassVar[Action] = "send"
    routes: ClassVar[Routes] = (
        Route("POST", "/rooms/{room}/messages", created=True),
        Route("POST", "/users/{to}/messages", created=True),
    )
    user_fields: ClassVar[UserFields] = ("to", "mentions")
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member of the room; a user in `to` or `mentions` does not exist",
        "invalid": "`reply_to` is not a message of the room",
        "key_reused": "the key was used in this room with another content",
        "forbidden": "the other user of the private room has blocked the user",
        "rate_limited": "the limit of the user, or of the room",
    }
    conditions: ClassVar[Conditions] = (
        {"oneOf": [{"required": ["room"]}, {"required": ["to"]}]},
        {"anyOf": [{"required": ["data"]}, {"properties": {"body": {"minLength": 1}}}]},
    )

    room: RoomId | None = field(default=None, validator=optional(fields.room))
    to: UserId | None = field(default=None, validator=optional(fields.user))
    key: Key = field(validator=fields.key)
    body: str = field(validator=fields.body)
    data: Data | None = field(default=None, validator=optional(fields.data))
    reply_to: Seq | None = field(default=None, validator=optional(fields.seq))
    mentions: Sequence[UserId] = field(default=(), converter=fields.ids, validator=fields.users(fields.MENTIONS_MAX))

    def __attrs_post_init__(self) -> None:
        if (self.room is None) == (self.to is None):
            raise Invalid("Give exactly one of room and to.", field="room" if self.room is None else "to")
        if not self.body and self.data is None:
            raise Invalid("body must not be empty unless data is given.", field="body")

    @property
    def target(self) -> Seq | None:
        return self.reply_to

    @property
    def _mentioned(self) -> Sequence[UserId]:
        return self.mentions and fields.each_once(self.mentions)

    def content(self) -> Mapping[str, Any]:
        return {"body": self.body, "data": self.data, "reply_to": self.reply_to, "mentions": self._mentioned or None}

    def room_id(self, user: UserId, key: Key) -> RoomId:
        return self.room if self.room is not None else private_room_id(user, self.to or user)

    def required_users(self, state: RoomState) -> Collection[UserId]:
        opened = (self.to,) if self.to is not None and state.kind is None else ()
        return (*opened, *self.mentions)

    def opens(self, user: UserId) -> RoomOpening | None:
        return RoomOpening(kind="private", members={user: "member", self.to: "member"}) if self.to is not None else None

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.unknown_users:
            return NotFound()
        if self.reply_to is not None and (facts.target is None or not isinstance(facts.target.event, Message)):
            return Invalid("reply_to must be the seq of a message of this room.", field="reply_to")
        return Message(body=self.body, data=self.data, reply_to=self.reply_to, mentions=self._mentioned)

    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> SendResult:
        return SendResult(room=entry.room, epoch=epoch, seq=entry.seq, at=entry.at, duplicate=duplicate)


@frozen(kw_only=True)
class EditResult:
    """The answer of `EditMessage`: the seq of the edit's entry, and the message's new version."""

    seq: Seq
    version: int
    duplicate: bool


@frozen(kw_only=True)
class EditMessage(RoomCommand[EditResult]):
    """Change the body of the user's own message. Fails with `Conflict` if ``version`` is not the present one."""

    name = "message.edit"
    is_message = True
    action: ClassVar[Action] = "edit"
    changes_target = True
    routes: ClassVar[Routes] = (Route("PATCH", "/rooms/{room}/messages/{seq}"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member; `seq` is no message, or a deleted one",
        "forbidden": "the member is not the author; the other user of the private room has blocked the user",
        "conflict": "`version` is no longer the present one",
    }

    room: RoomId = field(validator=fields.room)
    seq: Seq = field(validator=fields.seq)
    version: int = field(validator=fields.integer(1))
    body: str = field(validator=fields.body)

    @property
    def target(self) -> Seq | None:
        return self.seq

    def room_id(self, user: UserId, key: Key) -> RoomId:
        return self.room

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if (target := facts.message()) is None:
            return NotFound()
        entry, message = target
        if entry.author != user and not facts.trusted:
            return Forbidden("Only the author of a message may edit it.")
        if not self.body and message.data is None:
            return Invalid("body must not be empty unless data is given.", field="body")
        if message.version != self.version:
            return Conflict("The message has another version now; read it and try again.")
        return Edited(target=self.seq, body=self.body, version=self.version + 1)

    def answer(self, entry: Entry, *, duplicate: bool, epoch: str) -> EditResult:
        version = entry.event.version if isinstance(entry.event, Edited) else self.version + 1
        return EditResult(seq=entry.seq, version=version, duplicate=duplicate)


@frozen(kw_only=True)
class DeleteMessage(ChangeCommand):
    """Delete a message: erase its text for all users, for ever."""

    name = "message.delete"
    is_message = True
    action: ClassVar[Action] = "delete"
    changes_target = True
    routes: ClassVar[Routes] = (Route("DELETE", "/rooms/{room}/messages/{seq}"),)
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member; `seq` is no message",
        "forbidden": "the member is not the author, and no admin or owner of a group or public room",
    }

    seq: Seq = field(validator=fields.seq)

    @property
    def target(self) -> Seq | None:
        return self.seq

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if facts.target is None or not isinstance(facts.target.event, Message):
            return NotFound()
        is_author = facts.target.author == user
        if not facts.trusted and not may_delete(state.kind, state.members.get(user), is_author=is_author):
            return Forbidden("Only the author, owners and admins may delete a message.")
        return None if facts.target.event.deleted else Deleted(target=self.seq)


@frozen(kw_only=True)
class React(ChangeCommand):
    """Give an emoji to a message, or take it back."""

    name = "message.react"
    is_message = True
    action: ClassVar[Action] = "react"
    changes_target = True
    routes: ClassVar[Routes] = (
        Route("PUT", "/rooms/{room}/messages/{seq}/reactions/{emoji}", fixed={"on": True}),
        Route("DELETE", "/rooms/{room}/messages/{seq}/reactions/{emoji}", fixed={"on": False}),
    )
    refusals: ClassVar[Refusals] = {
        "not_found": "the user is not a member; `seq` is no message, or a deleted one",
        "forbidden": "the other user of the private room has blocked the user",
        "conflict": "it would be the 21st different emoji on the message",
    }

    seq: Seq = field(validator=fields.seq)
    emoji: str = field(validator=fields.emoji)
    on: bool = field(validator=fields.boolean)

    @property
    def target(self) -> Seq | None:
        return self.seq

    def event(self, state: RoomState, facts: Facts, user: UserId) -> Event | ChatError | None:
        if (target := facts.message()) is None:
            return NotFound()
        reactions = target[1].reactions
        reaction = reactions.get(self.emoji)
        if self.on == (reaction is not None and reaction.mine):
            return None
        if self.on and reaction is None and len(reactions) >= REACTIONS_MAX:
            return Conflict(f"A message can have at most {REACTIONS_MAX} different reactions.")
        return Reacted(target=self.seq, emoji=self.emoji, on=self.on)
