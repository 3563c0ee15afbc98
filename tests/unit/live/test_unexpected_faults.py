"""The tasks of a Chat continue after an unexpected exception, and log it."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from chatcore import Bye, Chat, InviteUser, SendMessage, Unavailable
from chatcore.domain.decider import evolve
from chatcore.live import room as live_room
from chatcore.live.background import Background
from chatcore.ports.bus import RoomHint
from chatcore.testing import Recorder
from chatcore_memory import MemoryRegistry
from tests.unit.live.nodes import HeldBus, HeldStore, seqs
from tests.unit.live.test_membership_pushes import create

pytestmark = pytest.mark.anyio

ROOM = "pvt-alice-bob"


def break_once(monkeypatch: pytest.MonkeyPatch, target: object, operation: str, calls: int = 1) -> list[OSError]:
    """Make the next ``calls`` calls of ``operation`` raise an error that no port may raise. Returns the errors left."""
    real, faults = getattr(target, operation), [OSError("out of the blue")] * calls

    async def broken(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return await real(*arguments)

    monkeypatch.setattr(target, operation, broken)
    return faults


async def test_failed_poll_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    store, bob = HeldStore(), Recorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(bob, user="bob"):
        faults = break_once(monkeypatch, store, "changes", calls=2)  # one call of each node
        await anyio.sleep(3)
        assert not faults
        await there.execute("alice", SendMessage(to="bob", body="hi", key="k"))
        await bob.until(lambda _: seqs(bob, ROOM) == [1], within=5)


async def test_room_delivers_an_entry_after_a_fault_in_its_processing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bob, faults = Recorder(), [OSError("out of the blue")]

    def broken(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return evolve(*arguments)

    async with Chat(HeldStore()) as chat, chat.connect(bob, user="bob"):
        await chat.execute("alice", SendMessage(to="bob", body="one", key="1"))
        monkeypatch.setattr(live_room, "evolve", broken)
        for body in ("two", "three"):
            await chat.execute("alice", SendMessage(to="bob", body=body, key=body))
        await bob.until(lambda _: len(seqs(bob, ROOM)) == 3, within=1)
        assert not faults
        assert bob.bodies(ROOM) == ["one", "two", "three"]


async def test_failed_check_of_memberships_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    store, ina = HeldStore(), Recorder()
    async with Chat(store) as here, Chat(store) as there, here.connect(ina, user="ina"):
        room = await create(there)
        faults = break_once(monkeypatch, store, "memberships")
        await there.execute("olga", InviteUser(room=room, user="ina"))
        await ina.until(lambda _: bool(ina.rooms(room)), within=5)
        assert not faults


async def test_hints_are_published_again_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = HeldBus()
    async with Chat(HeldStore(), bus=bus) as chat:
        break_once(monkeypatch, bus, "publish")
        for key in ("1", "2"):
            await chat.execute("alice", SendMessage(to="bob", body="hi", key=key))
            await anyio.sleep(1)
        assert [hint.seq for hint in bus.hints if isinstance(hint, RoomHint)] == [2]


async def test_leases_are_renewed_again_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, bob = MemoryRegistry(anyio.current_time), Recorder()
    async with Chat(HeldStore(), registry=registry) as chat, chat.connect(bob, user="bob"):
        faults = break_once(monkeypatch, registry, "renew")
        await anyio.sleep(60)
        assert not faults
        assert [info.id for info in await chat.sockets("bob")] == [bob.id]


async def test_fault_of_the_registry_does_not_fail_a_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, bob = MemoryRegistry(anyio.current_time), Recorder()
    async with Chat(HeldStore(), registry=registry) as chat:
        faults = [break_once(monkeypatch, registry, operation) for operation in ("add", "remove")]
        async with chat.connect(bob, user="bob"):
            await anyio.sleep(11)
            assert [info.id for info in await chat.sockets("bob")] == [bob.id]
        assert faults == [[], []]


async def test_deadlines_are_checked_again_after_a_fault() -> None:
    began, start, faults = datetime(2026, 11, 25, tzinfo=UTC), anyio.current_time(), 3

    def clock() -> datetime:
        nonlocal faults
        passed = anyio.current_time() - start
        if passed > 10 and faults:
            faults -= 1
            raise OSError("no clock")
        return began + timedelta(seconds=passed)

    bob = Recorder()
    async with (
        Chat(HeldStore(), clock=clock) as chat,
        chat.connect(bob, user="bob", expires_at=began + timedelta(seconds=20)),
    ):
        await bob.until(lambda _: bob.bye == Bye(code="expired"), within=25)
        assert not faults


async def test_end_of_a_background_fault_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = [None, Unavailable(), Unavailable(), OSError("one"), None, None]
    over = anyio.Event()

    async def turn() -> None:
        if not outcomes:
            over.set()
            await anyio.sleep_forever()
        if error := outcomes.pop(0):
            raise error

    async with Background() as background:
        with caplog.at_level(logging.INFO, "chatcore"):
            background.repeat("counting", turn, 1)
            await over.wait()
    lines = [record.getMessage().split(" reason=")[0] for record in caplog.records]
    failed = "background work failed, is repeated: work='counting'"
    assert lines == [failed, failed, "background work succeeded again: work='counting'"]


async def test_equal_consecutive_faults_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = [OSError("one"), OSError("two"), Unavailable(), Unavailable(), None, Unavailable()]
    over = anyio.Event()

    async def turn() -> None:
        if not outcomes:
            over.set()
            await anyio.sleep_forever()
        if error := outcomes.pop(0):
            raise error

    async with Background() as background:
        with caplog.at_level(logging.WARNING):
            background.repeat("counting", turn, 1)
            began = anyio.current_time()
            await over.wait()
    assert anyio.current_time() - began == 5
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "WARNING"]
