"""Databases that earlier versions wrote, as text in ``tests/data``, and the answers that a server on them must give.

`python -m tests.integration.kept_databases FOLDER` writes databases of this version into an existing ``FOLDER``. A
version that changes the stored form adds a folder to ``tests/data``, beside those of earlier versions.
"""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from aiohttp import ClientSession
from bson import json_util
from pymongo import IndexModel, MongoClient

from .mongo_database import a_database
from .mongod import any_mongod
from .serving import serving

DATA = Path(__file__).parents[1] / "data"
SQLITE, MONGODB, ANSWERS = "sqlite.sql", "mongodb.json", "{}.answers.jsonl"
SQLITE_FILE = Path("chatcore-data", "chatcore.sqlite3")
SECRET = "a secret of the tests, of 32 bytes or more"
PASSWORDS = {"alice": "correct horse", "bob": "battery staple", "carol": "tr0ub4dor and 3", "dave": "swordfish in May"}
EPHEMERAL = ("sessions", "sockets")
"""Collections from which MongoDB deletes expired documents."""
ONE_DOCUMENT = json_util.CANONICAL_JSON_OPTIONS

Question: TypeAlias = tuple[str, str, str, Mapping[str, Any] | None]
"""A request: user, method, path and body."""

PRIVATE, GROUP, PUBLIC = "pvt-alice-bob", "{group}", "{public}"
BODY = {"body": "Hello, Bob ✓", "key": "1", "data": {"colour": "red", "number": 1.5, "list": [None, True]}}
WRITES: Sequence[Question] = (
    ("alice", "POST", "/users/bob/messages", BODY),
    ("bob", "POST", "/users/alice/messages", {"body": "Hi", "key": "1", "reply_to": 1, "mentions": ["alice"]}),
    ("alice", "PATCH", f"/rooms/{PRIVATE}/messages/1", {"body": "Hello, dear Bob", "version": 1, "key": "2"}),
    ("bob", "PUT", f"/rooms/{PRIVATE}/messages/1/reactions/👍", None),
    ("alice", "PUT", f"/rooms/{PRIVATE}/messages/1/reactions/👍", None),
    ("alice", "DELETE", f"/rooms/{PRIVATE}/messages/1/reactions/👍", None),
    ("alice", "POST", "/users/bob/messages", {"body": "I regret this", "key": "3"}),
    ("alice", "DELETE", f"/rooms/{PRIVATE}/messages/7", None),
    ("bob", "POST", "/users/alice/messages", {"body": "What was it?", "key": "2"}),
    ("alice", "PUT", f"/rooms/{PRIVATE}/marker", {"read": 2, "delivered": 8}),
    ("bob", "PUT", f"/rooms/{PRIVATE}/marker", {"unread_from": 1, "muted": True}),
    ("alice", "POST", "/rooms", {"kind": "group", "title": "Kept", "members": ["bob", "dave"], "key": "group"}),
    ("alice", "POST", f"/rooms/{GROUP}/messages", {"body": "Welcome", "key": "g1"}),
    ("alice", "PUT", f"/rooms/{GROUP}/invitations/carol", None),
    ("alice", "PATCH", f"/rooms/{GROUP}/members/bob", {"role": "admin"}),
    ("bob", "PUT", f"/rooms/{GROUP}/bans/dave", {"reason": "noise"}),
    ("bob", "PATCH", f"/rooms/{GROUP}", {"title": "Kept for long"}),
    ("bob", "POST", f"/rooms/{GROUP}/messages", {"body": "Done", "key": "g1"}),
    ("carol", "POST", "/rooms", {"kind": "public", "title": "For all", "key": "public"}),
    ("alice", "PUT", f"/rooms/{PUBLIC}/members/alice", None),
    ("bob", "PUT", f"/rooms/{PUBLIC}/members/bob", None),
    ("dave", "PUT", f"/rooms/{PUBLIC}/members/dave", None),
    ("bob", "DELETE", f"/rooms/{PUBLIC}/members/bob", None),
    ("carol", "PUT", f"/rooms/{PUBLIC}/bans/dave", None),
    ("carol", "DELETE", f"/rooms/{PUBLIC}/bans/dave", None),
    ("carol", "DELETE", f"/rooms/{PUBLIC}/members/alice", None),
)
"""Requests that create every kind of entry and every membership state."""


class Served:
    """A server, and the users who are signed in."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self._http = http
        self._api = f"{url}/api/v1"
        self._tokens: dict[str, str] = {}

    async def sign_up(self) -> None:
        for user, password in PASSWORDS.items():
            name = user.title()
            async with self._http.post(
                f"{self._api}/accounts", json={"user": user, "password": password, "name": name}
            ) as answer:
                assert answer.status == 201, await answer.text()

    async def sign_in(self) -> None:
        for user, password in PASSWORDS.items():
            async with self._http.post(f"{self._api}/sessions", json={"user": user, "password": password}) as answer:
                assert answer.status == 201, await answer.text()
                self._tokens[user] = (await answer.json())["access_token"]

    async def ask(self, question: Question) -> Any:
        """Return the answer. Of a refusal, only the code is returned, since its text may change."""
        user, method, path, body = question
        bearer = {"Authorization": f"Bearer {self._tokens[user]}"}
        async with self._http.request(method, self._api + path, json=body, headers=bearer) as response:
            answer = await response.json()
            return answer if response.ok else answer["code"]

    async def write(self) -> Sequence[str]:
        """Carry out `WRITES`. Returns the rooms."""
        rooms = {"private": PRIVATE}
        for user, method, path, body in WRITES:
            answer = await self.ask((user, method, path.format_map(rooms), body))
            assert isinstance(answer, dict), (path, answer)
            if path == "/rooms" and body:
                rooms[body["kind"]] = answer["room"]
        return list(rooms.values())


def questions(rooms: Sequence[str]) -> Sequence[Question]:
    """Return the requests with which every user reads ``rooms``, and a repetition of each write with a key."""
    _, group, public = rooms
    of_rooms = (
        *("/rooms/{}", "/rooms/{}/members", "/rooms/{}/entries?anchor=oldest&after=200"),
        *("/rooms/{}/entries?anchor=first_unread&before=1&after=1", "/rooms/{}/entries?messages_only=true"),
    )
    lists = ("/rooms", "/rooms?limit=1", "/public-rooms", "/public-rooms?prefix=for")
    pages = [*lists, *(path.format(room) for room in rooms for path in of_rooms)]
    cursors = [{room: {"seq": seq} for room in rooms} for seq in (0, 3)]
    return (
        *((user, "GET", page, None) for user in PASSWORDS for page in pages),
        *((user, "POST", "/sync", {"cursors": known}) for user in PASSWORDS for known in cursors),
        *(
            (user, method, path.format(group=group, public=public), body)
            for user, method, path, body in WRITES
            if body and "key" in body
        ),
    )


@asynccontextmanager
async def served(folder: Path, store: str) -> AsyncGenerator[Served]:
    """A server with its data in ``folder``, or in the database ``store``."""
    environment = {"CHATCORE_STORE": store, "CHATCORE_SECRET": SECRET, "CHATCORE_LIMITS": "off"}
    async with serving(folder, environment=environment) as server, ClientSession() as http:
        yield Served(http, server.url)


def load_sqlite(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(text)


def load_mongodb(url: str, text: str) -> None:
    with MongoClient[Any](url) as client:
        database = client.get_default_database()
        for name, kept in json_util.loads(text, json_options=ONE_DOCUMENT).items():
            if kept["indexes"]:
                database[name].create_indexes(
                    [IndexModel(list(index.pop("key").items()), **index) for index in kept["indexes"]]
                )
            if kept["documents"]:
                database[name].insert_many(kept["documents"])


def _sqlite_text(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        pragmas = [
            (name, connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
        ]
        connection.execute("DELETE FROM sessions")
        return "\n".join([*(f"PRAGMA {name} = {value};" for name, value in pragmas), *connection.iterdump()]) + "\n"


def _mongodb_text(url: str) -> str:
    with MongoClient[Any](url) as client:
        database = client.get_default_database()
        kept = {}
        for name in sorted(database.list_collection_names()):
            indexes = [
                {key: value for key, value in index.items() if key not in ("v", "ns")}
                for index in database[name].list_indexes()
                if index["name"] != "_id_"
            ]
            documents = [] if name in EPHEMERAL else list(database[name].find().sort("_id"))
            kept[name] = {"indexes": indexes, "documents": documents}
        return json_util.dumps(kept, json_options=ONE_DOCUMENT, indent=1, ensure_ascii=False) + "\n"


async def _keep(folder: Path) -> None:
    with TemporaryDirectory() as data, any_mongod() as mongod, a_database(mongod) as url:
        for store, name in (("sqlite", "sqlite"), (url, "mongodb")):
            async with served(Path(data), store) as server:
                await server.sign_up()
                await server.sign_in()
                asked = questions(await server.write())
                answers = [{"question": question, "answer": await server.ask(question)} for question in asked]
            lines = [json.dumps(answer, ensure_ascii=False) for answer in answers]
            (folder / ANSWERS.format(name)).write_text("\n".join(lines) + "\n")
        (folder / SQLITE).write_text(_sqlite_text(Path(data) / SQLITE_FILE))
        (folder / MONGODB).write_text(_mongodb_text(url))


if __name__ == "__main__":
    asyncio.run(_keep(Path(sys.argv[1])))
