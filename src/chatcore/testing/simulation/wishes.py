"""One row for each command that is served: how often somebody wants it, and what. A new command is one more row."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...protocol import Object
from .wishes_about_members import ban, change_role, invite, join, leave, remove, unban, update
from .wishes_about_messages import delete, edit, react, send
from .wishes_to_read import create, get, history, mark, members, refresh, rooms, sync
from .wishing import Row, Wish

if TYPE_CHECKING:
    from .workload import Workload

ROWS: Mapping[str, tuple[float, Row]] = {
    "message.send": (10, send),
    "message.edit": (2, edit),
    "message.delete": (1, delete),
    "message.react": (2, react),
    "room.create": (1, create),
    "room.update": (0.7, update),
    "room.join": (2, join),
    "room.leave": (0.6, leave),
    "room.invite": (1, invite),
    "room.remove": (0.8, remove),
    "room.ban": (0.6, ban),
    "room.unban": (0.6, unban),
    "room.role": (0.9, change_role),
    "room.members": (0.6, members),
    "history": (1, history),
    "sync": (1, sync),
    "rooms": (0.5, rooms),
    "room.get": (1, get),
    "mark": (2, mark),
    "auth.refresh": (1.5, refresh),
}


def other_content(work: "Workload", event: str, data: Object) -> Wish:
    """The same key with another content: in another field, or of another command."""
    for name in ("body", "title", "emoji"):
        if name in data:
            return event, data | {name: work.word()}
    if "user" in data:
        return event, data | {"user": work.user()}
    kept = {name: value for name, value in data.items() if name in ("room", "key")}
    return ("room.leave", kept) if event == "room.join" else ("room.update", kept | {"title": work.word()})
