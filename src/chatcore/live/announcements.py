"""The room that is shown to a user who becomes a member or is invited."""

from collections.abc import Container, Mapping, Sequence

from ..domain.entries import Entry, Invited
from ..domain.state import RoomView
from ..ids import RoomId, UserId
from ..ports.pushes import Room
from ..ports.store import Store


async def announcements(
    store: Store, room: RoomId, entries: Sequence[Entry], users: Container[UserId]
) -> Mapping[UserId, Room]:
    """Return the present view of each user among ``users`` whom ``entries`` affect and who is a member or invited.

    Raises `Unavailable` if the store cannot be reached.
    """
    joining = sorted({user for entry in entries for user in entry.affects if user in users})
    if not joining:
        return {}
    views = await store.views(room, joining)
    hidden = await _hidden_invitations(store, entries, views)
    return {
        user: Room(user=user, epoch=store.epoch, view=view)
        for user, view in views.items()
        if view.member and view.member.state != "banned" and user not in hidden
    }


async def _hidden_invitations(
    store: Store, entries: Sequence[Entry], views: Mapping[UserId, RoomView]
) -> Container[UserId]:
    """Return the invited users of ``views`` to whom the invitation is not shown.

    A block in either direction hides it. An invitation by a later entry is shown with that entry.
    """
    inviters = {entry.seq: entry.author for entry in entries if isinstance(entry.event, Invited)}
    invited = {
        user: inviters.get(view.member.since)
        for user, view in views.items()
        if view.member and view.member.state == "invited"
    }
    if not invited:
        return ()
    known = [(user, inviter) for user, inviter in invited.items() if inviter is not None]
    blocks = await store.blocks_among([*known, *((inviter, user) for user, inviter in known)])
    return {
        user
        for user, inviter in invited.items()
        if inviter is None or not blocks.isdisjoint({(user, inviter), (inviter, user)})
    }
