"""Many users who come and go: every watching client is shown the right states in time, and nothing is left behind."""

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from attrs import define, field, frozen

from chatcore import Chat, PresencePush, Push
from chatcore.domain.presence import GRACE_S
from chatcore.ids import UserId
from chatcore.live.event_loop import current_time
from chatcore.ports.registry import SocketRegistry
from chatcore.ports.store import Store
from chatcore.protocol import Object
from chatcore.testing import Recorder, virtual_time
from chatcore.testing.builders import opened, opens
from chatcore_memory import MemoryRegistry, MemoryStore
from chatcore_mongo import MongoRegistry, MongoStore
from chatcore_sqlite import SqliteStore

pytestmark = pytest.mark.anyio

USERS = int(os.environ.get("CHATCORE_TEST_PRESENCE_USERS", "100"))
"""Users who come and go. The soak session uses 2,000."""
TIMES = 20
"""How often each of them comes and goes."""
WATCHED_MAX = 500
OFFLINE_S = 12
"""The contract: seconds from the end of a user's last socket in which the user is offline."""
ONLINE_S = 4
"""Seconds in which a user is online on other nodes without a bus, and on a machine that is busy."""
BUSY = 3
"""On a database, in real time, a deadline is missed at three times its value."""
EARLY_S = 0.05
CLOSING_S = 1.2
"""Seconds that the close of a socket may take: at most one to tell the registry."""
CONNECTING_MAX = 16
"""Users who connect or leave at the same time, so that each call of the store answers in time."""


@frozen
class Pace:
    """How many seconds users stay, and stay away."""

    stays_s: float
    is_away_s: float


FAST, SLOW = Pace(1, 2), Pace(20, 25)


@define
class User:
    """A user, and when its sockets were open: those that overlap, or follow within 10 s, are one interval."""

    name: UserId
    sockets: list[tuple[float, float]] = field(factory=list)
    """From the beginning of each connect to the end of each close, both of which may take a while."""

    @property
    def present(self) -> Sequence[tuple[float, float]]:
        """The times of the first connect and of the last end of each interval."""
        intervals: list[tuple[float, float]] = []
        for start, end in sorted(self.sockets):
            if intervals and start <= intervals[-1][1] + GRACE_S:
                intervals[-1] = intervals[-1][0], max(end, intervals[-1][1])
            else:
                intervals.append((start, end))
        return intervals


class Watcher(Recorder):
    """A client that notes when it is shown which state of a user."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[UserId, list[tuple[float, str]]] = {}
        self.last: dict[UserId, PresencePush] = {}
        self.is_shown = anyio.Event()

    def send(self, push: Push) -> None:
        super().send(push)
        if isinstance(push.body, PresencePush):
            assert push.body != self.last.get(push.body.user)
            self.last[push.body.user] = push.body
            self.shown.setdefault(push.body.user, []).append((current_time(), push.body.state))
            self.is_shown.set()

    async def all_offline(self) -> None:
        """Wait until the client was shown last that every user is offline."""
        while any(push.state != "offline" for push in self.last.values()):
            self.is_shown = anyio.Event()
            await self.is_shown.wait()


async def come_and_go(nodes: Sequence[Chat], user: User, pace: Pace, random: Random, turns: anyio.Semaphore) -> None:
    for _ in range(TIMES):
        await anyio.sleep(random.uniform(0, pace.is_away_s))
        async with AsyncExitStack() as left:
            async with turns:
                came = current_time()
                await left.enter_async_context(random.choice(nodes).connect(Recorder(), user=user.name))
            await anyio.sleep(random.uniform(0, pace.stays_s))
            async with turns:
                await left.aclose()
                gone = current_time()
        user.sockets.append((came, gone))


def faults_of(user: User, shown: Sequence[tuple[float, str]], slack: float) -> Sequence[str]:
    """Return what is wrong with the states that a client was shown of a user; offline is known before."""
    online_s, offline_s = ONLINE_S * slack, OFFLINE_S * slack
    faults: list[str] = []
    for at, state in shown:
        inside = [end for start, end in user.present if start - EARLY_S <= at]
        if state == "online" and not inside:
            faults.append(f"online at {at}")
        if state == "offline" and any(start + online_s < at < end + GRACE_S - CLOSING_S for start, end in user.present):
            faults.append(f"offline at {at}")
    for (start, end), following in zip(
        user.present, [*[start for start, _ in user.present[1:]], float("inf")], strict=True
    ):
        for moment, state in ((start + online_s, "online"), (end + offline_s, "offline")):
            if moment < (min(following, end + GRACE_S) if state == "online" else following):
                before = [each for at, each in shown if at <= moment]
                if before[-1:] != [state]:
                    faults.append(f"not {state} at {moment}")
    return faults


async def crowd(nodes: Sequence[Chat], pace: Pace, slack: float) -> None:
    """Let users come and go at any node, while clients at all nodes watch them; then check what these were shown.

    Args:
        slack: by what the deadlines are multiplied.
    """
    random, turns = Random(0), anyio.Semaphore(CONNECTING_MAX)
    users = [User(f"user {number}") for number in range(USERS)]
    names = [user.name for user in users]
    parts = [names[start : start + WATCHED_MAX] for start in range(0, USERS, WATCHED_MAX)]
    watchers: list[tuple[Watcher, Sequence[UserId]]] = []
    async with AsyncExitStack() as entered:
        for number, part in enumerate(parts):
            watcher = f"watcher {number}"
            room = f"room-{number:026}".translate(str.maketrans("0189", "abcd"))
            await nodes[0].store.append([opened(room, opens=opens(watcher, *part))])
            for node in nodes:
                client = Watcher()
                socket = await entered.enter_async_context(node.connect(client, user=watcher))
                answers: list[Object] = []
                await socket.receive("presence", {"users": part}, answers.append)
                assert {shown["state"] for shown in answers[0]["presence"].values()} == {"offline"}
                watchers.append((client, part))
        async with anyio.create_task_group() as tasks:
            for user in users:
                tasks.start_soon(come_and_go, nodes, user, pace, Random(random.random()), turns)
        with anyio.move_on_after(OFFLINE_S * slack):
            for client, _ in watchers:
                await client.all_offline()
        by_name = {user.name: user for user in users}
        faults = {
            name: faults
            for client, part in watchers
            for name in part
            if (faults := faults_of(by_name[name], client.shown.get(name, ()), slack))
        }
        assert not faults, f"{len(faults)} of {USERS} users: {dict(list(faults.items())[:3])}"
        shown = [(by_name[name], each) for client, _ in watchers for name, each in client.shown.items()]
        latest = max(each[-1][0] - user.present[-1][1] for user, each in shown)
        print(f"{sum(len(each) for _, each in shown)} pushes; offline at most {latest:.1f} s after the last end")
        seen = await nodes[0].store.last_seen(names)
        assert seen.keys() == set(names)
    await anyio.sleep(GRACE_S + 2)
    for node in nodes:
        stats = node.stats()
        assert (stats.sockets, stats.users, stats.watched, stats.rooms) == (0, 0, 0, 0)
        held = vars(node._hub.presence) | vars(node._hub.presence._departures)
        assert not {name: value for name, value in held.items() if isinstance(value, dict) and value}


async def play(stores: Sequence[Store], registry: SocketRegistry, pace: Pace, slack: float) -> None:
    async with AsyncExitStack() as entered:
        nodes = [await entered.enter_async_context(Chat(store, registry=registry)) for store in stores]
        await crowd(nodes, pace, slack)


class TestInVirtualTime:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
        return virtual_time(request.param)

    @pytest.mark.parametrize("pace", [FAST, SLOW], ids=["fast", "slow"])
    async def test_users_who_come_and_go_are_shown_in_time(self, pace: Pace) -> None:
        store = MemoryStore()
        await play([store, store], MemoryRegistry(current_time), pace, slack=1)


class TestOnDatabases:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.timeout(600)
    async def test_users_who_come_and_go_are_shown_in_time_on_sqlite(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path)
        await play([store, store], MemoryRegistry(), FAST, BUSY)

    @pytest.mark.timeout(600)
    async def test_users_who_come_and_go_are_shown_in_time_on_mongodb(self, mongo_url: str) -> None:
        first, second = MongoStore(mongo_url), MongoStore(mongo_url)
        async with first:
            await play([first, second], MongoRegistry(first.database), FAST, BUSY)
