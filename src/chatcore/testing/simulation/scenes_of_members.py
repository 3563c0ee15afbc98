"""Races in which somebody's membership changes while their devices look away."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...ids import UserId
from ...protocol import Object
from .playing import chain, group, pair, soon
from .wishing import Wish

if TYPE_CHECKING:
    from .director import Director


def left_while_connecting(director: "Director") -> int:
    """Somebody's membership ends, and perhaps begins again, while their devices come back."""
    return _change(director, _come_back)


def left_while_syncing(director: "Director") -> int:
    """Somebody's membership ends, and perhaps begins again, while they ask what was missed there."""
    return _change(director, _ask_what_was_missed)


def invited_while_connecting(director: "Director") -> int:
    """Somebody is invited, and the invitation perhaps withdrawn, while their devices come back."""
    return _invite(director, _come_back)


def invited_while_syncing(director: "Director") -> int:
    """Somebody is invited, and the invitation perhaps withdrawn, while they ask about that room."""
    return _invite(director, _ask_what_was_missed)


def _change(director: "Director", look_away: Callable[["Director", UserId, str], None]) -> int:
    owner, member = pair(director)
    room, data = group(director, owner, member)
    about: Object = {"room": room, "user": member}
    end = director.world.random.choice(
        (
            ((owner, ("room.remove", about)),),
            ((owner, ("room.ban", about)), (owner, ("room.unban", about))),
            ((member, ("room.leave", {"room": room})),),
        )
    )
    begin: Sequence[tuple[UserId, Wish]] = (
        (owner, ("room.invite", about)),
        (member, ("room.join", {"room": room})),
    )
    again = director.world.random.randint(0, 2)
    said: Wish = ("message.send", {"room": room, "body": director.workload.word()})
    steps = [(owner, ("room.create", data)), *end, *begin[:again], (owner, said)]
    chain(director, steps, between=lambda: look_away(director, member, room))
    return len(steps)


def _invite(director: "Director", look_away: Callable[["Director", UserId, str], None]) -> int:
    owner, guest = pair(director)
    room, data = group(director, owner, owner)
    about: Object = {"room": room, "user": guest}
    steps: list[tuple[UserId, Wish]] = [
        (owner, ("room.create", data)),
        (owner, ("room.invite", about)),
        (owner, ("room.remove", about)),
        (owner, ("room.invite", about)),
    ]
    steps = steps[: director.world.random.randint(2, 4)]
    chain(director, steps, between=lambda: look_away(director, guest, room))
    return len(steps)


def _come_back(director: "Director", user: UserId, room: str) -> None:
    client = director.world.random.choice(director.of_user(user))
    client.lose(half_open=False)
    soon(director, client.come)


def _ask_what_was_missed(director: "Director", user: UserId, room: str) -> None:
    client = director.world.random.choice(director.of_user(user))
    soon(director, lambda: client.sync([room]))
