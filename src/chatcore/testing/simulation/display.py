"""What a client shows of one room: kept up to date by later entries, as ``docs/protocol.md`` says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...ids import Seq, UserId
from ...protocol import Object
from .marks import POSITIONS


class Display:
    """``entries`` are kept as they came, each with the head as of which it came; ``room`` is what its Room says."""

    def __init__(self, user: UserId) -> None:
        self.room: Object = {}
        self._user = user
        self._entries: dict[Seq, Object] = {}
        self._as_of: dict[Seq, Seq] = {}

    def __contains__(self, seq: Seq) -> bool:
        return seq in self._entries

    def give(self, entries: Sequence[Object], as_of: Seq) -> None:
        """Entries that were lacking, ascending."""
        for entry in entries:
            self._entries[entry["seq"]] = entry
            self._as_of[entry["seq"]] = as_of
            if entry["seq"] > self.room.get("head", entry["seq"]):
                _fold(self.room, self._user, entry)

    def lay(self, fields: Object) -> None:
        """The server says this of the room. "`read` and `delivered` never go back", whatever overtakes what."""
        before = self.room
        self.room = {**before, **fields}
        if "me" in fields:
            self.room["me"] = _kept_up(fields["me"], before.get("me", {}))
        if "markers" in fields:
            held = before.get("markers", {})
            self.room["markers"] = {user: _kept_up(one, held.get(user, {})) for user, one in fields["markers"].items()}

    def mark(self, marker: Object) -> None:
        """The push `marker`."""
        if marker["user"] == self._user and "me" in self.room:
            self.room["me"] = _kept_up(self.room["me"], marker)
        markers = self.room.get("markers", {})
        if marker["user"] in markers:
            markers[marker["user"]] = _kept_up(markers[marker["user"]], marker)

    def history(self) -> dict[Seq, Object]:
        """The entries, messages in their present state.

        "With each message a client keeps the `head` of the answer it came in, and applies an `edited`, `deleted` or
        `reacted` entry to it only when that entry's seq is above."
        """
        shown = {seq: dict(self._entries[seq]) for seq in sorted(self._entries)}
        deleted = {one["target"] for one in shown.values() if one["kind"] == "deleted"}
        for seq, change in shown.items():
            target = change.get("target")
            if target in shown and seq > self._as_of[target]:
                CHANGES[change["kind"]](shown[target], change)
            if change["kind"] == "edited" and target in deleted:
                change.pop("body", None)
        return shown


def _edit(message: Object, change: Object) -> None:
    message |= {"version": change["version"], "edited_at": change["at"], "body": change.get("body", "")}


def _delete(message: Object, change: Object) -> None:
    for name in ("body", "data", "edited_at", "reactions"):
        message.pop(name, None)
    message["deleted"] = True


def _react(message: Object, change: Object) -> None:
    reactions = message.pop("reactions", {})
    users = [user for user in reactions.get(change["emoji"], {"users": ()})["users"] if user != change["author"]]
    if change["on"]:
        users.append(change["author"])
    others = {emoji: one for emoji, one in reactions.items() if emoji != change["emoji"]}
    if reactions := others | ({change["emoji"]: {"count": len(users), "users": users}} if users else {}):
        message["reactions"] = reactions


CHANGES: Mapping[str, Callable[[Object, Object], None]] = {"edited": _edit, "deleted": _delete, "reacted": _react}


def _fold(room: Object, user: UserId, entry: Object) -> None:
    """What an entry above the room's head changes of what is shown of it."""
    room["head"] = entry["seq"]
    markers = room.get("markers", {})
    match entry["kind"]:
        case "updated":
            room["title"] = entry["title"]
        case "role" if entry["user"] == user:
            room["me"]["role"] = entry["role"]
        case "joined":
            markers[entry["user"]] = dict.fromkeys(POSITIONS, entry["seq"])
        case "left" | "removed" | "banned":
            markers.pop(entry["user"], None)
        case _:
            pass


def _kept_up(marker: Object, other: Mapping[str, Any]) -> Object:
    """The marker, not behind the other. Who is only invited has none."""
    return marker | {name: max(marker[name], other.get(name, 0)) for name in POSITIONS if name in marker}
