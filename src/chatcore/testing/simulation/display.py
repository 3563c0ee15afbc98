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
        self._entries: dict[Seq, Object] = {}
        self._titled_at: Seq = 0
        """The head of the Room that named the title; a `sync` names none."""

    def give(self, found: Entries) -> set[Seq]:
        """Entries that were lacking; those that were not."""
        given = {entry["seq"]: entry for entry in found.entries}
        twice = given.keys() & self._entries.keys()
        self._entries |= given
        self._timeline.take(found)
        self._catch_up()
        return twice

    def lay(self, fields: Object) -> None:
        """The server says this of the room, perhaps as of a head that is passed here already. "`read` and `delivered`
        never go back", whatever overtakes what."""
        before = self.room
        self.room = {**before, **fields}
        if "kind" in fields:
            self._titled_at = fields["head"]
        if "me" in fields:
            self.room["me"] = _kept_up(fields["me"], before.get("me", {}))
        if "markers" in fields:
            held = before.get("markers", {})
            self.room["markers"] = {user: _kept_up(one, held.get(user, {})) for user, one in fields["markers"].items()}
        self._catch_up()

    def mark(self, marker: Object) -> None:
        """The push `marker`."""
        if marker["user"] == self._user and "me" in self.room:
            self.room["me"] = _kept_up(self.room["me"], marker)
        markers = self.room.get("markers", {})
        if marker["user"] in markers:
            markers[marker["user"]] = _kept_up(markers[marker["user"]], marker)

    def _catch_up(self) -> None:
        """What lies above the room's head changes it."""
        for seq in sorted(self._entries):
            if seq > self.room.get("head", seq):
                _fold(self.room, self._user, self._entries[seq])
        titles = {seq: one["title"] for seq, one in self._entries.items() if one["kind"] == "updated"}
        newest = max(titles, default=0)
        if newest > self._titled_at:  # it may have been paged only after a `sync` that told a gap
            self.room["title"] = titles[newest]

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
