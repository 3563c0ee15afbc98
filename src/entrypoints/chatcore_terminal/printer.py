"""Entries as lines of the terminal."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from .display import safe, safe_lines

Entry: TypeAlias = Mapping[str, Any]
RoomInfo: TypeAlias = Mapping[str, Any]


def print_json(entry: Entry, _: RoomInfo) -> None:
    print(json.dumps(entry), flush=True)


def print_entry(entry: Entry, _: RoomInfo) -> None:
    print(line_of(entry), flush=True)


def print_entry_with_room(entry: Entry, room: RoomInfo) -> None:
    name = room.get("title") or room.get("peer") or room["room"]
    print(f"[{safe(str(name))}] {line_of(entry)}", flush=True)


def line_of(entry: Entry) -> str:
    """Return an entry in one line, and a further line for each line break of its text."""
    author = safe(entry["author"])
    return f"{_time(entry['at'])} {author}{_text(entry)}"


def _text(entry: Entry) -> str:
    match entry:
        case {"deleted": True}:
            return ": (deleted)"
        case {"kind": "message", "body": str(body)} if body or "data" not in entry:
            return f": {safe_lines(body)}"
        case {"kind": "message", "data": data}:
            return f": {json.dumps(data)}"
        case {"kind": "edited", "body": str(body)}:
            return f" has edited a message: {safe_lines(body)}"
        case {"kind": "reacted", "emoji": emoji, "on": on}:
            return f" has {'added' if on else 'taken back'} {safe(emoji)}"
        case {"kind": "updated", "title": title}:
            return f" has named the room {safe(title)}"
        case {"kind": "role", "user": user, "role": role}:
            return f" has made {safe(user)} {safe(role)}"
        case {"kind": "joined" | "left" as kind}:
            return f" has {kind}"
        case {"kind": kind, "user": user}:
            return f" has {safe(kind)} {safe(user)}"
        case {"kind": "edited" | "deleted" as kind}:
            return f" has {kind} a message"
        case {"kind": kind}:
            return f" has {safe(kind)} the room"
        case _:
            return ""


def _time(at: str) -> str:
    """Return the time in this machine's zone, with the date if it is not today's."""
    time = datetime.fromisoformat(at).astimezone()
    is_today = time.date() == datetime.now(UTC).astimezone().date()
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")
