"""When erased text is removed from SQLite's write-ahead log."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from chatcore.errors import Unavailable
from chatcore_sqlite import data_folder
from chatcore_sqlite.eraser import Eraser, Gate

WITHIN_S = 60


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def connection(tmp_path: Path) -> Generator[sqlite3.Connection]:
    file = tmp_path / "database"
    file.touch()
    with closing(data_folder.connect_writer(file)) as connection:
        connection.execute("CREATE TABLE things (value)")
        yield connection


def test_continuous_deletions_do_not_delay_erasure(connection: sqlite3.Connection) -> None:
    clock, erased_at = Clock(), list[float]()

    def connect() -> sqlite3.Connection:
        erased_at.append(clock.now)
        return connection

    eraser = Eraser(Gate(), WITHIN_S, clock)
    for second in range(3 * WITHIN_S):
        clock.now = second
        eraser.note()
        eraser.attempt(connect)
    gaps = [later - earlier for earlier, later in zip([0, *erased_at], erased_at, strict=False)]
    assert max(gaps) < WITHIN_S
    assert erased_at[-1] > 2 * WITHIN_S


def test_eraser_does_not_wait_once_all_is_erased(connection: sqlite3.Connection) -> None:
    clock = Clock()
    eraser = Eraser(Gate(), WITHIN_S, clock)
    clock.now = WITHIN_S
    eraser.attempt(lambda: connection)
    assert eraser.wait() is None


def test_readers_are_admitted_again_after_failed_erasure() -> None:
    clock, gate = Clock(), Gate()
    eraser = Eraser(gate, WITHIN_S, clock)
    clock.now = WITHIN_S

    def refuse() -> sqlite3.Connection:
        raise Unavailable

    def read() -> None:
        with gate.inside():
            pass

    with pytest.raises(Unavailable):
        eraser.attempt(refuse)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert not reader.is_alive()
    assert 0 < (eraser.wait() or 0) < WITHIN_S  # another attempt is due
