"""Acknowledged entries survive `kill -9` of the process that wrote them."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread
import pytest

from chatcore.domain.decider import evolve
from chatcore.domain.state import Membership, RoomState
from chatcore.ports.room_views import RoomMembership
from chatcore.testing.logs import everything
from chatcore_sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("sqlite_commit_loop.py")
KILLS = 8


def run_and_kill(folder: Path, lines: int) -> Mapping[str, int]:
    """Kill a process after ``lines`` lines of output. Returns the highest acknowledged seq by room."""
    acknowledged: dict[str, int] = {}
    with subprocess.Popen([sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for number, line in enumerate(process.stdout):
            if number == lines:
                process.kill()
            if line.endswith("\n"):
                room, seq = line.rstrip("\n").split("\t")
                acknowledged[room] = int(seq)
    assert process.returncode == -9
    return acknowledged


@pytest.mark.anyio
async def test_acknowledged_entries_survive_kill_without_holes_and_views_agree(tmp_path: Path) -> None:
    for kill in range(KILLS):
        acknowledged = await anyio.to_thread.run_sync(run_and_kill, tmp_path, 37 * kill + 5)
        assert acknowledged
        async with SqliteStore(tmp_path) as store:
            for room, seq in acknowledged.items():
                await _check(store, room, seq)


async def _check(store: SqliteStore, room: str, acknowledged: int) -> None:
    entries = await everything(store, room)
    assert len(entries) >= acknowledged
    assert len(entries) % 3 == 0, "a batch is there as a whole or not at all"
    assert len({(entry.author, entry.key) for entry in entries}) == len(entries)
    folded = RoomState(room=room)
    for entry in entries:
        folded = evolve(folded, entry)
    assert await store.state(room) == folded
    newest = await store.memberships(f"user {folded.head}", room)
    assert newest == [RoomMembership(room=room, head=folded.head, member=Membership("member", since=folded.head))]
