"""Acknowledged writes survive a loss of power between any two operations, and erased texts do not reappear.

The store runs while all file operations of SQLite are recorded (`sqlite_recorder`). From the record follow the possible
images of the disk after a loss of power at any position (`simulated_disk`). The store opens such an image, and every
promise is checked. The next session begins with one of these images.

``CHATCORE_TEST_POWER_LOSSES`` is the number of losses (200). ``CHATCORE_TEST_POWER_SEED`` runs one seed again.
"""

import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import anyio
import pytest
from anyio.lowlevel import current_token
from attrs import evolve, frozen

from chatcore.domain.entries import Entry
from chatcore.domain.state import MarkerUpdate
from chatcore.ids import RoomId, Seq
from chatcore.testing.builders import message
from chatcore.testing.histories import marks_of
from chatcore.testing.logs import everything
from chatcore.testing.model import as_written, state_of, view_of
from chatcore.testing.tasks import at_once
from chatcore_sqlite import SqliteAccounts, SqliteStore
from tests.seeds import commit_id

from .simulated_disk import Disk, Image, Name, Survival, Write
from .sqlite_group import queued, writer_held
from .sqlite_power_history import Account, Append, Call, Erasure, History, Mark, Opening, batch, deleted_texts
from .sqlite_recorder import recorded
from .test_sqlite_views import TO_VERSION_1

pytestmark = pytest.mark.anyio

LOSSES = int(os.environ.get("CHATCORE_TEST_POWER_LOSSES", "200"))
SEED = os.environ.get("CHATCORE_TEST_POWER_SEED")
SESSIONS = 4
"""Sessions in a seed. Each but the first begins with an image of a loss of power in the previous session."""
GROUPS = 8
"""Groups of writes in a session."""
POINTS = 5
"""Losses of power of a session at random positions, each with every `Survival`."""

AT_ONCE = 4
"""Images that are checked concurrently, since their stores wait for a real disk."""

FILE = "chatcore.sqlite3"
ROOMS = ("one", "two", "three")
FOLDER = Name("host/data")
"""Neither of the two folders exists when the first session begins."""


@frozen
class Loss:
    """A loss of power.

    Attributes:
        position: the number of completed operations of the disk.
        image: the content of the disk afterwards.
        shared_memory: the content of SQLite's shared memory afterwards, which may be anything.
        what: a description for the message of a failure.
    """

    position: int
    image: Image
    shared_memory: bytes
    what: str


async def play(store: SqliteStore, history: History, disk: Disk, random: Random, stamp: str) -> None:
    """Carry out the writes of a session, in groups that share a commit."""
    pages = random.choice((20, 1000))  # SQLite's default is 1,000, which takes too long to write
    await store.database.write(lambda connection: connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").close())
    accounts = SqliteAccounts(store.database)

    async def done(call: Call, work: Awaitable[object]) -> None:
        history.calls.append(call)
        await work
        call.acknowledged = disk.position

    await note_erasure_at_once(store, history, disk)
    for group in range(GROUPS):
        works: list[Callable[[], Coroutine[None, None, None]]] = []
        for room in random.sample(ROOMS, random.randint(1, 3)):
            log = history.log(room)
            entries = batch(room, log, random, f"{stamp} {group}")
            append = Append(disk.position, room=room, entries=entries)
            works.append(partial(done, append, store.append(entries)))
            if log and random.random() < 0.3:
                mark = Mark(disk.position, room=room, read=len(log))
                works.append(partial(done, mark, store.mark("bob", room, MarkerUpdate(read=len(log)))))
        if random.random() < 0.2:
            user = f"user {stamp} {group}"
            works.append(partial(done, Account(disk.position, user=user), accounts.create(user, "hash", None)))
        async with anyio.create_task_group() as tasks, writer_held(store.database):
            for number, work in enumerate(works):
                tasks.start_soon(work)
                await queued(store.database, number + 1)
        await note_erasure_at_once(store, history, disk)


async def note_erasure_at_once(store: SqliteStore, history: History, disk: Disk) -> None:
    if store.database._erased_within == 0:
        await store.database.write(lambda connection: None)  # before this job, the thread carries out pending erasures
        note_erasure(history, disk)


def note_erasure(history: History, disk: Disk) -> None:
    texts = frozenset(text for room in ROOMS for text in deleted_texts(history.log(room)))
    assert not held(disk.root / FOLDER, texts)
    history.calls.append(Erasure(disk.position, disk.position, texts))


def held(folder: Path, texts: frozenset[str]) -> set[str]:
    """Return the texts that any file of the folder contains."""
    content = b"".join(file.read_bytes() for file in folder.iterdir()) if folder.exists() else b""
    return {text for text in texts if text.encode() in content}


def lay_out(root: Path, image: Image) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, content in image.items():
        if content is None:
            (root / name).mkdir()
        else:
            (root / name).write_bytes(content)


async def check(root: Path, history: History, position: int) -> History:
    """Check the content of ``root`` after a loss of power at ``position``. Returns the history for the next session."""
    completed = [call for call in history.calls if call.acknowledged <= position and not isinstance(call, Append)]
    erased = frozenset(text for call in completed if isinstance(call, Erasure) for text in call.texts)
    users = [call.user for call in completed if isinstance(call, Account)]
    assert not held(root / FOLDER, erased), "a text that was erased is back"
    async with SqliteStore(root / FOLDER) as store:
        checked = await store.database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
        assert checked == [("ok",)]
        assert {call.epoch for call in completed if isinstance(call, Opening)} <= {store.epoch}, "another epoch"
        assert set(await SqliteAccounts(store.database).profiles(users)) == set(users), "an account is lost"
        # The last call of a room has the highest position.
        reads = {call.room: call.read for call in completed if isinstance(call, Mark)}
        logs: dict[RoomId, Sequence[Entry]] = {}

        async def look_at(room: RoomId) -> None:
            logs[room] = await check_room(store, room, history.allowed_logs(room, position), reads.get(room, 0))

        await at_once([partial(look_at, room) for room in ROOMS])
    assert not held(root / FOLDER, frozenset(text for log in logs.values() for text in deleted_texts(log)))
    return History(logs, [evolve(call, begun=0, acknowledged=0) for call in completed])


async def check_room(
    store: SqliteStore, room: RoomId, allowed: Sequence[Sequence[Entry]], read: Seq
) -> Sequence[Entry]:
    """Check that a room has an allowed log, matching views and markers, and accepts appends. Returns the log."""
    stored = await everything(store, room)
    log = next((log for log in allowed if as_written(log) == stored), None)
    assert log is not None, f"{room} has {len(stored)} entries, not {len(allowed[0])} to {len(allowed[-1])}"
    if log:
        markers = marks_of(log)
        now_read = (await store.markers(room, ["bob"]))["bob"].read
        assert now_read >= read, "a marker went back"
        markers.mark("bob", MarkerUpdate(read=now_read), state_of(log))
        views = await store.views(room, ["alice", "bob"])
        assert views == {user: view_of(log, user, markers) for user in ("alice", "bob")}
        assert (await store.append([log[-1]])).written == 0
    assert (await store.append([message(room, len(log) + 1, key="goes on")])).written == 1
    assert len(await everything(store, room)) == len(log) + 1
    return log


def whole(root: Path) -> Image:
    """Return all files and folders below ``root``, except for the two files that need not survive."""
    paths = [path for path in root.rglob("*") if path.name not in ("lock", f"{FILE}-shm")]
    return {Name(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(paths)}


async def first_version(root: Path, random: Random) -> tuple[Image, History]:
    """Create a database of the first version of the schema, with rooms."""
    lay_out(root, {})
    logs = {room: batch(room, (), random, "first version") for room in ROOMS}
    async with SqliteStore(root / FOLDER) as store:
        for log in logs.values():
            await store.append(log)
    with closing(sqlite3.connect(root / FOLDER / FILE)) as connection:
        connection.executescript(TO_VERSION_1)
    return whole(root), History(logs, [Opening(0, 0, store.epoch)])


async def lose_power(folder: Path, seed: str) -> int:
    """Run the sessions of a seed, with many losses of power in each. Returns the number of different losses."""
    random = Random(seed)
    image, history = await first_version(folder / "old", random) if random.random() < 0.3 else ({}, History())
    erased_within = random.choice((0, 600))
    checked = 0
    for session in range(SESSIONS):
        erased_within = 600 - erased_within  # so that a session has to erase texts of the previous session
        disk = Disk(folder / "live", image)
        lay_out(disk.root, image)
        with recorded(disk, current_token()):
            async with SqliteStore(disk.root / FOLDER, erased_within=erased_within) as store:
                history.calls.append(Opening(disk.position, disk.position, store.epoch))
                await play(store, history, disk, random, f"{seed} {session}")
                assert disk.image(disk.position, Survival.ALL, random) == whole(disk.root), "the record is not complete"
        note_erasure(history, disk)
        losses = losses_of(disk, history, random, f"seed {seed!r}, session {session}")
        limiter = anyio.CapacityLimiter(AT_ONCE)
        left = await at_once(
            [partial(check_loss, folder / f"left {n}", history, loss, limiter) for n, loss in enumerate(losses)]
        )
        checked += len(losses)
        image, history = random.choice(
            [(loss.image, next_history) for loss, next_history in zip(losses, left, strict=True)]
        )
    return checked


def losses_of(disk: Disk, history: History, random: Random, session: str) -> Sequence[Loss]:
    """Return different losses: after the first acknowledgement of each kind of call, and anywhere, often near syncs."""
    acknowledged = [call.acknowledged for call in history.calls]
    firsts = {type(call): call.acknowledged for call in reversed(history.calls) if call.begun}
    edges = {at + n for at, operation in enumerate(disk.operations) for n in (0, 1) if not isinstance(operation, Write)}
    anywhere = range(disk.position + 1)
    near = sorted(edges.union(acknowledged).intersection(anywhere))
    chosen = [random.choice(near if random.random() < 0.6 else anywhere) for _ in range(POINTS)]
    losses: dict[object, Loss] = {}
    for position in (*firsts.values(), *chosen):
        acknowledgements = sum(seen <= position for seen in acknowledged)
        for survival in Survival:
            image = disk.image(position, survival, random)
            what = f"{session}, after {position} of {disk.position} operations, {survival.value} of what was not synced"
            losses[acknowledgements, *image.items()] = Loss(position, image, random.randbytes(40_000), what)
    return list(losses.values())


async def check_loss(root: Path, history: History, loss: Loss, limiter: anyio.CapacityLimiter) -> History:
    async with limiter:
        lay_out(root, loss.image)
        if FOLDER in loss.image:
            (root / FOLDER / f"{FILE}-shm").write_bytes(loss.shared_memory)
        try:
            next_history = await check(root, history, loss.position)
        except Exception as error:
            raise AssertionError(f"{loss.what}: {error}") from error
        shutil.rmtree(root)
        return next_history


def seeds(backend: str) -> Iterator[str]:
    """Return fixed seeds, and as many seeds that depend on the commit."""
    for number in count():
        yield f"{backend} {number}"
        yield f"{backend} {commit_id()} {number}"


@pytest.mark.timeout(7_200)
async def test_power_loss_loses_nothing_acknowledged_and_restores_nothing_erased(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    checked = 0
    for seed in [SEED] if SEED else seeds(anyio_backend_name):
        checked += await lose_power(tmp_path, seed)
        if checked >= LOSSES / 2:  # the other half runs on the other event loop
            break
    print(f"{checked} losses of power")
