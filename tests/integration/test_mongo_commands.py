"""The commands to MongoDB: their grouping, and their read and write concerns."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from attrs import define, evolve, field
from bson import Timestamp, encode
from pymongo import MongoClient, monitoring
from pymongo.errors import OperationFailure

from chatcore import Chat, Cursor, Sync, Unavailable
from chatcore.domain.state import MarkerUpdate
from chatcore.ids import RoomId
from chatcore.ports.entry_log import AppendResult, Change
from chatcore.ports.registry import SocketInfo
from chatcore.testing import Recorder
from chatcore.testing.builders import (
    NOON,
    conversation,
    deleted,
    edited,
    joined,
    left,
    message,
    opened,
    opens,
    reacted,
    role_changed,
)
from chatcore.testing.logs import everything, write
from chatcore.testing.tasks import at_once
from chatcore_mongo import MongoAccounts, MongoRegistry, MongoStore, database, history, room_views
from chatcore_mongo.documents import ENTRIES
from chatcore_mongo.group_commit import COMMAND_BYTES_MAX, COMMAND_ENTRIES_MAX
from chatcore_mongo.queries import Query
from chatcore_mongo.read_session import Results

from .mongo_database import empty

pytestmark = pytest.mark.anyio

READS = {"aggregate", "find"}
WRITES = {"insert", "update", "delete", "findAndModify"}
PRIMARY = {"mode": "primary"}
ROOMS = 6


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@define
class SentCommands(monitoring.CommandListener):
    """Records the commands that are sent."""

    commands: list[Mapping[str, Any]] = field(factory=list)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    def of(self, names: set[str]) -> Sequence[Mapping[str, Any]]:
        return [command for command in self.commands if next(iter(command)) in names]

    def inserts(self) -> Sequence[Mapping[str, Any]]:
        return [command for command in self.of({"insert"}) if command["insert"] == ENTRIES]


@pytest.fixture
def sent() -> SentCommands:
    return SentCommands()


@pytest.fixture
def url(mongo_url: str) -> str:
    empty(mongo_url)
    return mongo_url


@pytest.fixture
async def store(url: str, sent: SentCommands) -> AsyncGenerator[MongoStore]:
    async with MongoStore(url, event_listeners=[sent]) as store:
        yield store


@pytest.fixture
async def other(url: str) -> AsyncGenerator[MongoStore]:
    async with MongoStore(url) as other:
        yield other


async def test_reads_and_writes_use_majority_despite_connection_string(url: str, sent: SentCommands) -> None:
    weak = f"{url}?w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"
    async with MongoStore(weak, event_listeners=[sent]) as store:
        await store.probe()
        await write(store, conversation("room", 3))
        await store.append([joined("room", 4, "carol")])
        await store.append([deleted(5, 1)])
        await store.state("room")
        await store.changes(0, 10)
        await store.mark("bob", "room", MarkerUpdate(read=3))
        assert (await store.append([message("room", 6, "bob", key="key-2")])).taken
        await MongoAccounts(store.database).create("bob", "$hash$", None)
        await MongoRegistry(store.database).of_user("bob")
    assert {next(iter(command)) for command in sent.commands} >= {"aggregate", "find", "insert", "update"}
    for command in sent.of(READS):
        assert command["readConcern"]["level"] == "majority"
        assert command.get("$readPreference", PRIMARY) == PRIMARY
    for command in sent.of(WRITES):
        assert command["writeConcern"] == {"w": "majority", "j": True}


async def test_entries_of_many_rooms_share_command_with_outcome_per_room(
    store: MongoStore, other: MongoStore, sent: SentCommands
) -> None:
    rooms = [f"room {number}" for number in range(ROOMS)]
    for room in rooms:
        await write(store, [message(room)])
    seq_taken, key_taken = message(rooms[1], 2, "bob"), message(rooms[4], 2, "bob", key="taken")
    await write(other, [seq_taken])
    await write(other, [key_taken])
    await write(store, [message(rooms[4], 3)])
    sent.commands.clear()
    entries = [message(room, 2) for room in rooms]
    entries[4] = message(rooms[4], 4, "bob", key="taken")
    outcomes = await at_once([partial(store.append, [entry]) for entry in entries])
    new, lost, again = AppendResult(written=1), AppendResult(written=0), AppendResult(written=0, taken=key_taken)
    assert outcomes == [new, lost, new, new, again, new]
    assert [len(command["documents"]) for command in sent.inserts()] == [ROOMS]
    assert await everything(other, rooms[1]) == [message(rooms[1]), seq_taken]


async def test_batches_of_many_rooms_share_ordered_command_and_end_at_refused_entries(
    store: MongoStore, other: MongoStore, sent: SentCommands
) -> None:
    rooms = [f"room {number}" for number in range(ROOMS)]
    for room in rooms:
        await write(store, [message(room)])
    lost, again = rooms[1], rooms[4]
    await write(other, [message(lost, 2, "bob")])
    batches = [[message(room, seq) for seq in (2, 3, 4)] for room in rooms]
    batches[4][1] = message(again, 3, key="key-1", body="other")
    sent.commands.clear()
    outcomes = await store.append_all(batches)
    assert outcomes == [
        AppendResult(written={lost: 0, again: 1}.get(room, 3), taken=message(room) if room == again else None)
        for room in rooms
    ]
    first, *behind = sent.inserts()
    assert [(each["room"], each["seq"]) for each in first["documents"]] == [(e.room, e.seq) for b in batches for e in b]
    assert (first["ordered"], len(behind) <= 4) == (True, True)
    for room, batch in zip(rooms, batches, strict=True):
        written = [message(lost, 2, "bob")] if room == lost else batch[: 1 if room == again else 3]
        assert await everything(other, room) == [message(room), *written]


async def test_conflicts_in_all_rooms_of_a_group_take_two_commands(
    store: MongoStore, other: MongoStore, sent: SentCommands
) -> None:
    rooms = [f"room {number}" for number in range(50)]
    await store.append_all([[message(room)] for room in rooms])
    await other.append_all([[message(room, 2, "bob")] for room in rooms])
    sent.commands.clear()
    assert await store.append_all([[message(room, 2), message(room, 3)] for room in rooms]) == [
        AppendResult(written=0) for _ in rooms
    ]
    assert [command["ordered"] for command in sent.inserts()] == [True, False]


async def test_commands_are_bounded_in_entries_and_bytes(store: MongoStore, sent: SentCommands) -> None:
    await store.append_all([[message("many")], [message("large")]])
    sent.commands.clear()
    for batch in (conversation("many", 1_100)[1:], [message("large", seq, body="x" * 16_384) for seq in range(2, 802)]):
        assert await store.append_all([batch]) == [AppendResult(written=len(batch))]
    sizes = [(len(command["documents"]), sum(map(size_of, command["documents"]))) for command in sent.inserts()]
    assert len(sizes) > 2
    assert all(entries <= COMMAND_ENTRIES_MAX and size <= COMMAND_BYTES_MAX for entries, size in sizes)


def size_of(document: Mapping[str, Any]) -> int:
    return len(encode(document))


@pytest.mark.parametrize("size", [{"entries": 10_000}, {"rooms": 1_000}, {"members": 1_000}], ids=str)
async def test_bytes_of_an_insert_do_not_depend_on_entries_rooms_and_members(
    store: MongoStore, sent: SentCommands, size: Mapping[str, int]
) -> None:
    """The bytes of the documents of a message of 200 bytes, and of those of 63 rooms together."""
    single, together = await bytes_of_inserts(store, sent, "small")
    assert await bytes_of_inserts(store, sent, "large", **size) == (single, together)
    assert single <= 480
    assert together == 63 * single


async def bytes_of_inserts(
    store: MongoStore, sent: SentCommands, name: str, *, entries: int = 1, rooms: int = 65, members: int = 2
) -> tuple[int, int]:
    users = [f"user {number:04}" for number in range(members)]
    names = [f"{name} {number:04}" for number in range(rooms)]
    await store.append_all([[opened(room, users[0], opens=opens(*users))] for room in names])
    await write(store, [message(names[0], seq, users[0]) for seq in range(2, entries + 1)])
    batches = [[message(room, 2, users[0], key="k" * 32, body="x" * 200)] for room in names[1:65]]
    batches[0] = [message(names[0], entries + 1, users[0], key="k" * 32, body="x" * 200)]
    sizes: list[int] = []
    for some in (batches[:1], batches[1:]):
        sent.commands.clear()
        assert await store.append_all(some) == [AppendResult(written=1)] * len(some)
        (insert,) = sent.inserts()
        sizes.append(sum(len(encode(document)) for document in insert["documents"]))
    return sizes[0], sizes[1]


async def test_late_visible_changes_are_returned_once_by_next_calls(
    store: MongoStore, other: MongoStore, url: str
) -> None:
    await write(store, conversation("room", 3))
    (newest,) = (await store.changes(None, 1)).changes
    assert (newest.room, newest.seq) == ("room", 3)
    late = [f"late {number}" for number in range(5)]
    for seconds, room in enumerate(late, start=1):
        await write(other, [message(room)])
        put_back(url, room, seconds)
    returned: list[Change] = []
    while some := (await store.changes(returned[-1].position if returned else newest.position, 2)).changes:
        returned += some
        assert len(returned) <= len(late), "a change is returned repeatedly"
    assert sorted((change.room, change.seq) for change in returned) == [(room, 1) for room in late]


def put_back(url: str, room: RoomId, seconds: int) -> None:
    """Set the time of the room's first entry to ``seconds`` before that of the first entry of "room"."""
    with MongoClient[Any](url) as client:
        entries = client.get_default_database()[ENTRIES]
        first = entries.find_one({"room": "room", "seq": 1})
        assert first
        time = Timestamp(first["ts"].time - seconds, 1)
        assert entries.update_one({"room": room}, {"$set": {"ts": time}}).modified_count == 1


async def test_changes_after_newest_position_are_empty(store: MongoStore, other: MongoStore) -> None:
    await write(other, conversation("room", 3))
    (newest,) = (await store.changes(None, 1)).changes
    assert (await store.changes(newest.position, 10)).changes == []


async def test_merged_changes_report_more_if_page_is_full(store: MongoStore) -> None:
    await write(store, conversation("room", 60))
    first = await store.changes(0, 50)
    assert (len(first.changes) < 50, first.more) == (True, True)
    second = await store.changes(first.changes[-1].position, 50)
    assert (max(change.seq for change in second.changes), second.more) == (60, False)


async def test_reader_far_behind_does_not_look_back_with_each_page(store: MongoStore, sent: SentCommands) -> None:
    await write(store, conversation("room", 60))
    sent.commands.clear()
    position, pages = 0, 0
    while some := (await store.changes(position, 10)).changes:
        position, pages = some[-1].position, pages + 1
    looked_back = [command for command in sent.of({"aggregate"}) if "'second': '$_id'" in repr(command["pipeline"])]
    # at the start, once the pages have reached the present, and once for each second that the writes took
    assert (pages, len(looked_back) <= 4) == (6, True)


@pytest.mark.parametrize(("rooms", "most"), [(3, 4), (50, 4), (60, 6)])
async def test_connect_and_sync_take_fixed_number_of_commands(
    store: MongoStore, sent: SentCommands, rooms: int, most: int
) -> None:
    names = [f"room {number}" for number in range(rooms)]
    await store.append_all([conversation(room, 5) for room in names])
    recorder = Recorder()
    async with Chat(store) as chat:
        sent.commands.clear()
        async with chat.connect(recorder, user="bob"):
            cursors = {room: Cursor(seq=2, epoch=store.epoch) for room in names}
            synced = await chat.execute("bob", Sync(cursors=cursors))
    assert len(recorder.ready.rooms) == min(rooms, 50)
    assert {len(room.entries or ()) for room in synced.rooms.values()} == {3}
    read = [command for command in sent.of(READS) if command.get("aggregate") == ENTRIES and not is_poll(command)]
    assert len(read) <= most


async def test_users_who_connect_at_once_take_at_most_two_requests_each(store: MongoStore, sent: SentCommands) -> None:
    users = [f"user {number}" for number in range(40)]
    pairs = [(user, users[(number + step) % len(users)]) for number, user in enumerate(users) for step in range(1, 6)]
    await store.append_all([conversation(f"{one} {other}", 3, users=(one, other)) for one, other in pairs])
    async with Chat(store, registry=MongoRegistry(store.database)) as chat:

        async def connect(user: str) -> int:
            recorder = Recorder()
            async with chat.connect(recorder, user=user):
                cursors = {room.room: Cursor(seq=2, epoch=store.epoch) for room in recorder.ready.rooms}
                synced = await chat.execute(user, Sync(cursors=cursors))
            return sum(len(room.entries or ()) for room in synced.rooms.values())

        sent.commands.clear()
        assert await at_once([partial(connect, user) for user in users]) == [10] * len(users)
    polls = [command for command in sent.of({"aggregate"}) if is_poll(command)]
    assert len(sent.commands) - len(polls) <= 2 * len(users)


@pytest.mark.parametrize("missed", [0, 1, 3])
async def test_sync_after_connect_takes_one_command_if_nothing_changed(
    store: MongoStore, sent: SentCommands, missed: int
) -> None:
    names = [f"room {number}" for number in range(20)]
    await store.append_all([conversation(room, 5) for room in names])
    await store.mark("alice", names[3], MarkerUpdate(read=4))
    cursors = dict.fromkeys(names, 5 - missed)
    read = await store.catch_up("bob", cursors, 200, 10_000)
    page = (await store.overview("bob", 50)).page
    sent.commands.clear()
    again = await store.catch_up("bob", cursors, 200, 10_000)
    assert len(sent.of({"aggregate"})) == 1
    assert again == read
    assert {view.room: view for view in page.rooms} == {room: each.view for room, each in again.items()}
    assert {len(each.entries or ()) for each in again.values()} == {missed}


@pytest.mark.parametrize(
    "change",
    [
        lambda other: other.append([message("room", 6)]),
        lambda other: other.append([deleted(6, 4)]),
        lambda other: other.append([left("room", 6, "bob")]),
        lambda other: other.mark("bob", "room", MarkerUpdate(read=3)),
        lambda other: other.mark("alice", "room", MarkerUpdate(delivered=3)),
    ],
    ids=["message", "deletion", "end of the membership", "own marker", "marker of another member"],
)
async def test_sync_after_connect_sees_what_has_changed(
    store: MongoStore, other: MongoStore, change: Callable[[MongoStore], Awaitable[object]]
) -> None:
    await store.append_all([conversation("room", 5), conversation("quiet", 5)])
    await store.overview("bob", 50)
    await change(other)
    cursors = {"room": 2, "quiet": 2}
    assert await store.catch_up("bob", cursors, 200, 10_000) == await other.catch_up("bob", cursors, 200, 10_000)


async def test_membership_that_changes_while_rooms_are_read_is_shown_as_of_the_head(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append_all([conversation("room", 3), conversation("other", 3)])

    async with store.database.read_session() as session:
        fetch = session.fetch
        fetches = 0

        async def late_change(*wanted: Query | None) -> Results:
            nonlocal fetches
            fetches += 1
            if fetches == 2:  # between the user's changes and the heads
                await other.append([role_changed("room", 4, "bob", "admin"), message("room", 5)])
            return await fetch(*wanted)

        monkeypatch.setattr(session, "fetch", late_change)
        overview, _ = await room_views.overview(session, "bob", None, 50)
    assert overview == await other.overview("bob", 50)
    assert {row.room: (row.head, row.member.role) for row in overview.memberships} == {
        "room": (5, "admin"),
        "other": (3, "member"),
    }


async def test_memberships_that_others_have_changed_later_are_read_with_their_members(store: MongoStore) -> None:
    await store.append_all([[*conversation("group", 3), joined("group", 4, "carol")], conversation("pair", 3)])
    await store.mark("carol", "group", MarkerUpdate(read=4))
    page = (await store.overview("bob", 50)).page
    for view in page.rooms:
        assert view == (await store.views(view.room, ["bob"]))["bob"]
    assert {view.room: sorted(view.markers or ()) for view in page.rooms} == {
        "group": ["alice", "bob", "carol"],
        "pair": ["alice", "bob"],
    }


def is_poll(command: Mapping[str, Any]) -> bool:
    """Return whether the command is of `Store.changes`, which the Chat calls again and again."""
    return "'coll': 'meta'" in repr(command["pipeline"]) or "'ts'" in repr(command["pipeline"][0])


async def test_newest_page_takes_one_command_and_shows_changed_messages(store: MongoStore, sent: SentCommands) -> None:
    await write(store, conversation("room", 60))
    await write(store, [reacted(61, "bob", target=55), edited(62, 59), deleted(63, 60), reacted(64, "bob", target=3)])
    sent.commands.clear()
    page = await store.window("alice", "room", "newest", 50, 0)
    assert len(sent.of({"aggregate"})) == 2  # the last one reads the text of the edit
    assert page == evolve(await store.window("alice", "room", 65, 50, 0), has_after=False)
    assert [entry.seq for entry in page.entries] == list(range(15, 65))
    sent.commands.clear()
    assert (await store.window("alice", "room", "newest", 2, 0)).head == 64
    assert len(sent.of({"aggregate"})) == 1


@pytest.mark.parametrize("late", [1, 60])
async def test_newest_page_is_whole_although_entries_come_while_it_is_read(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    await write(store, conversation("room", 60))
    async with store.database.read_session() as session:
        fetch = session.fetch

        async def in_two_steps(*wanted: Query | None) -> Results:
            monkeypatch.setattr(session, "fetch", fetch)
            head = await fetch(wanted[0])
            await write(other, conversation("room", 60 + late)[60:])
            return [*head, *await fetch(*wanted[1:])]

        monkeypatch.setattr(session, "fetch", in_two_steps)
        request = history.PageRequest(user="bob", room="room", anchor="newest", before=50, after=0, messages_only=False)
        page = await history.window(session, request)
    assert [entry.seq for entry in page.entries] == list(range(page.head - 49, page.head + 1))


async def test_reads_that_wait_share_commands(store: MongoStore, sent: SentCommands) -> None:
    calls = 30
    await store.append_all([[message(f"room {number}", author=f"user {number}")] for number in range(calls)])
    sent.commands.clear()
    pages = await at_once([partial(store.page, f"user {number}", None, 50) for number in range(calls)])
    assert [[view.room for view in page.rooms] for page in pages] == [[f"room {number}"] for number in range(calls)]
    assert len(sent.of({"aggregate"})) <= calls


async def test_refused_query_does_not_reach_calls_in_the_same_command(store: MongoStore) -> None:
    wrong, right = Query(ENTRIES, [{"$match": {"$no": 1}}]), Query(ENTRIES, [{"$match": {"room": "room"}}])
    await write(store, [message("room")])

    async def read(query: Query) -> int:
        async with store.database.read_session() as session:
            try:
                (documents,) = await session.fetch(query)
            except OperationFailure:
                return -1
            return len(documents)

    found = await at_once([partial(read, wrong if number % 3 == 0 else right) for number in range(20)])
    assert found == [-1 if number % 3 == 0 else 1 for number in range(20)]


async def test_pending_erasures_are_read_between_the_head_and_the_entries(
    store: MongoStore, sent: SentCommands
) -> None:
    """A deletion at or below the head is then either pending, or its text is gone before the entries are read."""
    await write(store, conversation("room", 3))
    for read in (store.read_on("room", 0, 10), store.window("alice", "room", "newest", 10, 0)):
        sent.commands.clear()
        await read
        text = repr([command["pipeline"] for command in sent.of({"aggregate"})])
        head, pending = text.index("'$limit': 1}"), text.index("'pending': True")
        entries = [place for place in range(len(text)) if text.startswith("'seq': {'$", place)]
        assert head < pending < min(entries)


async def test_sockets_that_open_at_once_share_commands_and_a_refused_one_fails_alone(
    store: MongoStore, sent: SentCommands
) -> None:
    registry = MongoRegistry(store.database)
    sockets = [SocketInfo(id=f"s{n}", user="bob", device="", node="", since=NOON) for n in range(30)]
    wrong = evolve(sockets[0], id="wrong", device="\ud800")
    sent.commands.clear()
    await at_once([partial(registry.add, socket) for socket in sockets])
    assert len(sent.of({"update"})) <= 2
    assert await registry.of_user("bob") == sorted(sockets, key=lambda socket: socket.id)

    async def is_refused() -> None:
        with pytest.raises(UnicodeError):
            await registry.add(wrong)

    calls: list[Callable[[], Awaitable[None]]] = [partial(registry.remove, socket) for socket in sockets[:29]]
    await at_once([is_refused, *calls])
    assert await registry.of_user("bob") == sockets[29:]


async def test_read_that_waits_too_long_for_its_turn_is_unavailable(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TURN_S", 0.05)
    async with AsyncExitStack() as reads:
        for _ in range(database.READ_SESSIONS_MAX):
            await reads.enter_async_context(store.database.read_session())
        with pytest.raises(Unavailable) as failure:
            await store.page("bob", None, 10)
        assert "took longer than 0.05 s" in str(failure.value.__cause__)
    assert (await store.page("bob", None, 10)).rooms == []
