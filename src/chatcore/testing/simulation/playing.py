"""What scenes are made of."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...ids import RoomId, UserId, created_room_id
from ...protocol import Object
from .wishing import Wish

if TYPE_CHECKING:
    from .director import Director


def soon(director: "Director", work: Callable[[], None]) -> None:
    """At once, or about when something else is under way."""
    director.world.later(director.world.random.choice((0, 0, director.world.delay())), work)


def pair(director: "Director") -> tuple[UserId, UserId]:
    one, other = director.world.random.sample(list(director.world.users), 2)
    return one, other


def group(director: "Director", owner: UserId, member: UserId) -> tuple[RoomId, Object]:
    """A room that is not there yet, and what creates it."""
    key = director.workload.key()
    data = {"key": key, "kind": "group", "title": director.workload.word(), "members": [member]}
    return created_room_id(owner, key), data


def chain(
    director: "Director", steps: Sequence[tuple[UserId, Wish]], between: Callable[[], None] | None = None
) -> None:
    """Who wants what, each as soon as the one before has succeeded, at any node; ``between`` any two."""
    if not steps:
        return
    (user, (event, data)), *others = steps

    def go_on(_: Object) -> None:
        if between and others:
            between()
        chain(director, others, between)

    director.call(user, event, {"key": director.workload.key(), **data}, then=go_on)
