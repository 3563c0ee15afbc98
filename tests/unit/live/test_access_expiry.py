"""The end of a socket whose access expires, the warning before it, and refreshes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from chatcore import Bye, Chat
from chatcore.ports.authenticator import Principal
from chatcore.ports.pushes import Expiring
from chatcore.testing import Recorder
from tests.unit.live.nodes import HeldStore

pytestmark = pytest.mark.anyio


def after(seconds: float) -> datetime:
    return datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=seconds)


def passing_time() -> Callable[[], datetime]:
    """Return a wall clock that starts at ``after(0)`` and runs with the clock of the event loop."""
    start = anyio.current_time()
    return lambda: after(anyio.current_time() - start)


def warnings(recorder: Recorder) -> list[int]:
    return [push.body.expires_in for push in recorder.pushes if isinstance(push.body, Expiring)]


async def principal_of(token: str | None) -> Principal:
    """Return the principal of a token that is a number of seconds."""
    assert token
    return Principal("bob", expires_at=after(float(token)))


async def test_socket_is_warned_once_a_minute_before_its_end() -> None:
    bob = Recorder()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(100)),
    ):
        await anyio.sleep(39.5)
        assert warnings(bob) == []
        await anyio.sleep(1.5)
        assert warnings(bob) in ([60], [59])
        await bob.until(lambda _: bob.bye == Bye(code="expired"), within=60)
        assert len(warnings(bob)) == 1


async def test_repeated_refreshes_leave_one_deadline_and_one_warning() -> None:
    bob = Recorder()
    async with Chat(HeldStore(), clock=passing_time()) as chat:
        async with chat.connect(bob, user="bob", expires_at=after(120), authenticate=principal_of) as socket:
            for token in ["120"] * 100 + ["121", "122", "120"] * 100 + ["90"]:
                await socket.receive("auth.refresh", {"token": token})
            assert len(chat._sockets._access_expiry._ends) == 1
            await anyio.sleep(40)
            assert len(warnings(bob)) == 1
            for _ in range(100):
                await socket.receive("auth.refresh", {"token": "90"})
            await bob.until(lambda _: bob.bye == Bye(code="expired"), within=51)
            assert len(warnings(bob)) == 1
        assert not chat._sockets._access_expiry._ends


async def test_refreshed_socket_stays_open() -> None:
    bob, answers = Recorder(), list[dict[str, Any]]()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(30), authenticate=principal_of) as socket,
    ):
        assert warnings(bob) == [30]
        await socket.receive("auth.refresh", {"token": "300"}, answers.append)
        assert answers == [{"ok": True, "expires_in": 300}]
        await anyio.sleep(250)
        assert (len(warnings(bob)), bob.bye) == (2, None)


async def test_refresh_by_a_short_token_is_warned_of_at_half_of_its_time() -> None:
    bob = Recorder()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(20), authenticate=principal_of) as socket,
    ):
        start = anyio.current_time()
        for refreshes in range(10):
            await anyio.sleep(13.1 * bool(refreshes))
            assert len(warnings(bob)) == refreshes + 1
            await socket.receive("auth.refresh", {"token": str(anyio.current_time() - start + 24)})
        assert warnings(bob)[0] == 20
        assert set(warnings(bob)[1:]) <= {10, 11, 12}


async def test_token_of_another_session_or_user_is_refused_and_the_deadline_stays() -> None:
    async def authenticate(token: str | None) -> Principal:
        assert token
        user, session = token.split()
        return Principal(user, expires_at=after(300), session=session)

    bob, answers = Recorder(), list[dict[str, Any]]()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(90), session="phone", authenticate=authenticate) as socket,
    ):
        for token in ("bob laptop", "bob tablet", "alice phone", "carol phone"):
            await socket.receive("auth.refresh", {"token": token}, answers.append)
        assert [answer["error"]["code"] for answer in answers] == ["unauthenticated"] * 4
        await bob.until(lambda _: bob.bye == Bye(code="expired"), within=91)


async def test_refresh_that_ends_after_its_socket_leaves_no_deadline() -> None:
    started, go_on = anyio.Event(), anyio.Event()

    async def authenticate_later(token: str | None) -> Principal | None:
        started.set()
        await go_on.wait()
        return await principal_of(token)

    async with Chat(HeldStore(), clock=passing_time()) as chat, anyio.create_task_group() as tasks:
        async with chat.connect(Recorder(), user="bob", authenticate=authenticate_later) as socket:
            tasks.start_soon(socket.receive, "auth.refresh", {"token": "90"})
            await started.wait()
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        assert not chat._sockets._access_expiry._ends


async def test_socket_refreshed_by_a_token_without_an_end_stays_open() -> None:
    async def authenticate(_: str | None) -> Principal | None:
        return Principal("bob")

    bob, answers = Recorder(), list[dict[str, Any]]()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(30), authenticate=authenticate) as socket,
    ):
        await socket.receive("auth.refresh", {"token": "t"}, answers.append)
        assert answers == [{"ok": True}]
        await anyio.sleep(60)
        assert bob.bye is None


async def test_socket_with_expired_access_is_warned_with_0_seconds_left() -> None:
    bob = Recorder()
    async with (
        Chat(HeldStore(), clock=passing_time()) as chat,
        chat.connect(bob, user="bob", expires_at=after(-10)),
    ):
        assert (bob.ready.expires_in, warnings(bob)) == (0, [0])
        await bob.until(lambda _: bob.bye == Bye(code="expired"), within=2)
