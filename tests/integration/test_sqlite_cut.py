"""A write that is cut between any two of its statements is complete or undone."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import pytest

from chatcore.testing.builders import message
from chatcore.testing.histories import marks_of
from chatcore.testing.room_histories import check
from chatcore_sqlite import SqliteStore

from .newcomers import as_a_newcomer
from .sqlite_cut import BORN, MORE, THERE

pytestmark = pytest.mark.anyio

SCRIPT = Path(__file__).with_name("sqlite_cut.py")


async def test_first_read_after_cut_sees_whole_write_or_nothing(tmp_path: Path, anyio_backend_name: str) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), anyio_backend_name]
    run = await anyio.to_thread.run_sync(partial(subprocess.run, command, check=True, capture_output=True, text=True))
    cuts = int(run.stdout)
    print(f"{cuts} cuts, each before a statement of the two writes")
    assert cuts > 60
    seen: list[tuple[int, int]] = []
    for name in [*map(str, range(1, cuts + 1)), "after"]:
        async with SqliteStore(tmp_path / name) as store:
            heads = {row.room: row.head for row in await store.memberships("erin")}
            seen.append((heads.get("room", len(THERE)), heads.get("born", 0)))
            logs = [[*THERE, *MORE] if "room" in heads else THERE, *([BORN] if "born" in heads else [])]
            for user in ("erin", "frank", "bob", "mallory", "alice"):
                await as_a_newcomer(store, user, logs)
            for log in logs:
                await check(store, log, marks_of(log))
                await store.append([message(log[0].room, len(log) + 1, key="goes on")])
    whole = (len(THERE) + len(MORE), len(BORN))
    assert sorted(set(seen)) == [(len(THERE), 0), (whole[0], 0), whole], "each write is one step"
    assert seen == sorted(seen)
