"""A room for each cell of the rights matrix, and its users."""

import itertools
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from chatcore.chat import Chat
from chatcore.commands.blocks import BlockUser
from chatcore.commands.membership import BanUser, ChangeRole, InviteUser, LeaveRoom, RemoveUser
from chatcore.commands.messages import React, SendMessage
from chatcore.commands.rooms import CreateRoom
from chatcore.ids import RoomId, Seq, UserId, created_room_id, new_id, private_room_id
from tests.integration.http_node import HttpNode
from tests.integration.rights_table import RANKS, Kind, Rank

Whom: TypeAlias = Literal["oneself", "stranger", "invited", "member", "admin", "owner", "banned", "nobody"]
Owners: TypeAlias = Literal["two", "one", "alone"]
"""Whether the room has two owners, one owner, or one owner and no other member."""
WITH_ACCOUNTS: tuple[Whom, ...] = ("stranger", "invited", "member", "admin", "owner", "banned")
NOBODY: Whom = "nobody"
TITLE = "Tea {}"
"""The title of a group or public room, in which the key of its creation stands."""
EMOJI = "\N{THUMBS UP SIGN}"
NO_MEMBERS_YET: frozenset[Rank] = frozenset({"stranger", "invited"})

_numbers = itertools.count()


@frozen(kw_only=True)
class Cell:
    """A question: a room, the user who asks, and the values for the question."""

    kind: Kind
    rank: Rank
    owners: Owners
    reacted: bool
    """Whether the subject has reacted with `EMOJI` to the message of another user, if permitted."""
    room: RoomId
    unborn: RoomId
    """The id of a room of this kind that does not exist."""
    subject: UserId
    people: Mapping[Whom, UserId]
    title: str
    """The title, which no other room has; of a private room one that no room has."""
    own: Seq = 1
    """A message of the subject, if the subject has been a member."""
    others: Seq = 2
    """A message of another user."""

    def whom(self, whom: Whom) -> UserId:
        return self.subject if whom == "oneself" else self.people[whom]


@frozen
class Facts:
    """The content of a cell's room in the store."""

    head: Seq
    everything: Any
    unborn: Seq
    """The head of the room `Cell.unborn`."""


Place: TypeAlias = tuple[Kind, Rank, Owners, bool]


@frozen
class Cast:
    """Separate users for some rows of the matrix, so that their rooms do not grow in number from row to row."""

    node: HttpNode
    number: int = field(factory=lambda: next(_numbers))
    _unchanged: dict[Place, list[Cell]] = field(factory=dict, init=False)
    _known: dict[RoomId, Facts] = field(factory=dict, init=False)

    def subject(self, rank: Rank) -> UserId:
        """Return the user who asks with this rank."""
        return f"{rank}-{self.number}"

    def other(self, whom: Whom) -> UserId:
        """Return another user, who has this membership state in every room."""
        return f"other-{whom}-{self.number}"

    async def enter(self) -> None:
        """Create accounts for all users, and access tokens for those who ask."""
        await self.node.sign_in(*map(self.subject, RANKS))
        for whom in WITH_ACCOUNTS:
            await self._account(self.other(whom))

    async def _account(self, user: UserId) -> UserId:
        await self.node.accounts_store.create(user, "nobody signs in with this", None)
        return user

    async def cell(self, kind: Kind, rank: Rank, owners: Owners = "two", *, reacted: bool = False) -> Cell:
        """Return a room in which the subject has the rank: an unchanged room, or a new one."""
        if unchanged := self._unchanged.get((kind, rank, owners, reacted)):
            return unchanged.pop()
        cell = await (self._private(rank, reacted) if kind == "private" else self._shared(kind, rank, owners, reacted))
        if reacted and rank in ("member", "admin", "owner", "blocked"):
            react = React(room=cell.room, seq=cell.others, emoji=EMOJI, on=True)
            await self.node.chat.execute(cell.subject, react)
        if rank == "blocked":
            await self.node.chat.execute(cell.people["member"], BlockUser(user=cell.subject))
        return cell

    async def _shared(self, kind: Literal["group", "public"], rank: Rank, owners: Owners, reacted: bool) -> Cell:
        subject, key = self.subject(rank), new_id()
        founder = subject if owners == "alone" else self.other("owner")
        chat, room = self.node.chat, created_room_id(founder, key)
        first = [] if owners == "alone" else [self.other(whom) for whom in ("admin", "member", "banned")]
        first += [] if rank in NO_MEMBERS_YET else [subject]
        title = TITLE.format(key)
        await chat.execute(founder, CreateRoom(kind=kind, title=title, key=key, members=first))
        own = others = 1
        if owners != "alone":
            others = await _say(chat, self.other("member"), room)
            own = others if rank in NO_MEMBERS_YET else await _say(chat, subject, room)
            await self._place_others(room, founder)
            await _place(chat, rank, room, founder, subject)
        if owners == "one" and rank == "owner":
            await chat.execute(founder, ChangeRole(room=room, user=founder, role="member"))
        unborn = created_room_id(founder, f"not {key}")
        return Cell(
            kind=kind,
            rank=rank,
            owners=owners,
            reacted=reacted,
            room=room,
            unborn=unborn,
            subject=subject,
            people=self._others(),
            title=title,
            own=own,
            others=others,
        )

    def _others(self) -> Mapping[Whom, UserId]:
        others: dict[Whom, UserId] = {whom: self.other(whom) for whom in (*WITH_ACCOUNTS, NOBODY)}
        return others

    async def _private(self, rank: Rank, reacted: bool) -> Cell:
        subject = self.subject(rank)
        member = self.other("member") if rank == "stranger" else subject
        peer = await self._account(f"peer-{next(_numbers)}")
        await self.node.chat.execute(member, SendMessage(to=peer, key=new_id(), body="hi"))
        await self.node.chat.execute(peer, SendMessage(to=member, key=new_id(), body="ho"))
        return Cell(
            kind="private",
            rank=rank,
            owners="two",
            reacted=reacted,
            room=private_room_id(member, peer),
            unborn=private_room_id(self.other("owner"), peer),
            subject=subject,
            people={**self._others(), "member": peer},
            title=TITLE.format(peer),
        )

    async def _place_others(self, room: RoomId, founder: UserId) -> None:
        execute = self.node.chat.execute
        await execute(founder, ChangeRole(room=room, user=self.other("admin"), role="admin"))
        await execute(founder, InviteUser(room=room, user=self.other("invited")))
        await execute(founder, BanUser(room=room, user=self.other("banned")))

    async def facts(self, cell: Cell) -> Facts:
        """Return the content of the cell, which is known if the cell was given back."""
        if cell.room not in self._known:
            self._known[cell.room] = await self.look_again(cell)
        return self._known[cell.room]

    def give_back(self, cell: Cell) -> None:
        """Keep a cell with an unchanged room for a later question."""
        self._unchanged.setdefault((cell.kind, cell.rank, cell.owners, cell.reacted), []).append(cell)

    async def look_again(self, cell: Cell) -> Facts:
        """Return the current content of the cell."""
        store, users = self.node.store, [cell.subject, *cell.people.values()]
        log = await store.read_on(cell.room, 0, 1_000)
        everything = (
            log,
            await store.state(cell.room),
            await store.markers(cell.room, users),
            await store.window(cell.subject, cell.room, "newest", 100, 0),
            await store.views(cell.room, users),
        )
        return Facts(log.head, everything, (await store.state(cell.unborn)).head)


async def _say(chat: Chat, user: UserId, room: RoomId) -> Seq:
    return (await chat.execute(user, SendMessage(room=room, key=new_id(), body="hi"))).seq


async def _place(chat: Chat, rank: Rank, room: RoomId, founder: UserId, subject: UserId) -> None:
    match rank:
        case "invited":
            await chat.execute(founder, InviteUser(room=room, user=subject))
        case "admin" | "owner":
            await chat.execute(founder, ChangeRole(room=room, user=subject, role=rank))
        case "left":
            await chat.execute(subject, LeaveRoom(room=room))
        case "removed":
            await chat.execute(founder, RemoveUser(room=room, user=subject))
        case "banned":
            await chat.execute(founder, BanUser(room=room, user=subject))
        case "stranger" | "member" | "blocked":
            pass
