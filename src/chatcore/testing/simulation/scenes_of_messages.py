"""Races about one message, and about how far one has read."""

from typing import TYPE_CHECKING

from ...protocol import Object
from .playing import chain, pair, soon
from .wishing import Wish

if TYPE_CHECKING:
    from .director import Director


def changed_at_once(director: "Director") -> int:
    """One message is edited, reacted to and deleted at once, at several nodes, from the version all have seen."""
    author, peer = pair(director)
    random, work = director.world.random, director.workload

    def change(answer: Object) -> None:
        about = {"room": answer["room"], "seq": answer["seq"]}
        wishes: list[Wish] = [
            ("message.edit", about | {"version": 1, "body": work.word()}),
            ("message.edit", about | {"version": 1, "body": work.word()}),
            ("message.react", about | {"emoji": "👍", "on": True}),
            ("message.react", about | {"emoji": "👍", "on": False}),
            ("message.delete", about),
        ]
        for event, data in random.sample(wishes, 3):
            user = peer if event == "message.react" else author
            director.call(user, event, data | {"key": work.key()})

    said: Object = {"to": peer, "key": work.key(), "body": work.word()}
    director.call(author, "message.send", said, then=change)
    return 4


def read_along(director: "Director") -> int:
    """All devices of a reader say how far they have come, or from where on it is all unread, while more is written."""
    author, reader = pair(director)
    work = director.workload
    clients = director.of_user(reader)

    def read(answer: Object) -> None:
        for client in clients:
            seq = director.world.random.randint(1, answer["seq"])
            marked = {"room": answer["room"], director.world.random.choice(("read", "read", "unread_from")): seq}
            soon(director, lambda client=client, marked=marked: client.command("mark", marked))  # type: ignore[misc]

    for _ in range(2):
        said: Object = {"to": reader, "key": work.key(), "body": work.word()}
        director.call(author, "message.send", said, then=read)
    return 2 + 2 * len(clients)


def taken_back(director: "Director") -> int:
    """A message is edited and deleted, and both are repeated at other nodes, with their keys."""
    author, peer = pair(director)
    work = director.workload

    def change(answer: Object) -> None:
        about = {"room": answer["room"], "seq": answer["seq"]}
        edit: Wish = ("message.edit", about | {"version": 1, "body": work.word(), "key": work.key()})
        delete: Wish = ("message.delete", about | {"key": work.key()})
        chain(director, [(author, wish) for wish in (edit, delete, edit, ("message.send", said), delete)])

    said: Object = {"to": peer, "key": work.key(), "body": work.word()}
    director.call(author, "message.send", said, then=change)
    return 6
