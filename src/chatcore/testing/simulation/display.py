"""What a client shows of one room: kept up to date by later entries, as ``docs/protocol.md`` says."""

from collections.abc import Mapping
from typing import Any

from ...ids import Seq, UserId
from ...protocol import Object
from ...replica import Entries, Timeline
from .marks import POSITIONS


class Display:
    """The entries are a `Timeline`; ``room`` is what its Room says."""

    def __init__(self, user: UserId) -> None:
        self.room: Object = {}
        self._user = user
        self._timeline = Timeline()
        self._seqs: set[Seq] = set()

    def give(self, found: Entries) -> set[Seq]:
        """Entries that were lacking; those that were not."""
        seqs = {entry["seq"] for entry in found.entries}
        twice, self._seqs = seqs & self._seqs, seqs | self._seqs
        self._timeline.take(found)
        for entry in found.entries:
            if entry["seq"] > self.room.get("head", entry["seq"]):
                _fold(self.room, self._user, entry)
        return twice

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
        """The entries, messages in their present state."""
        return self._timeline.present()


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
