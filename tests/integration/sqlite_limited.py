"""A process under a file size limit, which is lifted later. Prints what was acknowledged.

Run by test_sqlite_faults.py: python sqlite_limited.py FOLDER BACKEND
"""

import json
import resource
import signal
import sys
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import anyio

from chatcore.errors import Unavailable
from chatcore.testing.builders import message
from chatcore.testing.tasks import at_once
from chatcore_sqlite import SqliteStore

ROOMS = [f"room {number}" for number in range(16)]


async def append_on(store: SqliteStore, acknowledged: dict[str, int], room: str, count: int) -> int:
    """Append until a call is refused. Returns the number of calls without an acknowledgement, 0 or 1."""
    for _ in range(count):
        seq = acknowledged[room] + 1
        try:
            appended = await store.append([message(room, seq, body="x" * 1000)])
        except Unavailable:
            return 1
        assert appended.written == 1 or appended.taken
        acknowledged[room] = seq
    return 0


async def probe(store: SqliteStore) -> str:
    try:
        await store.probe()
    except Unavailable:
        return "refused"
    return "succeeded"


def limit_files(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def cache_size(connection: Connection) -> int:
    """Return a setting that a new connection does not have."""
    size: int = connection.execute("PRAGMA cache_size").fetchone()[0]
    return size


async def main(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    acknowledged = dict.fromkeys(ROOMS, 0)
    async with SqliteStore(folder) as store:
        assert not any(await at_once([partial(append_on, store, acknowledged, room, 3) for room in ROOMS]))
        await store.database.write(lambda connection: connection.execute("PRAGMA cache_size = -1234"))
        limit_files((folder / "chatcore.sqlite3-wal").stat().st_size + 50_000)
        refused = [0]
        while not all(refused):
            refused = await at_once([partial(append_on, store, acknowledged, room, 50) for room in ROOMS])
        heads = {room: (await store.read_on(room, 0, 0)).head for room in ROOMS}
        assert all(heads[room] >= acknowledged[room] for room in ROOMS), "reading goes on, of what was acknowledged"
        probes = [await probe(store)]
        limit_files(resource.RLIM_INFINITY)
        probes.append(await probe(store))
        assert not any(await at_once([partial(append_on, store, acknowledged, room, 3) for room in ROOMS]))
        renewed = await store.database.write(cache_size) != -1234
    outcome = {"acknowledged": acknowledged, "refused": sum(refused), "connection renewed": renewed, "probes": probes}
    print(json.dumps(outcome))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), backend=sys.argv[2])
