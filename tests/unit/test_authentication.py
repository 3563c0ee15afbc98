"""A host authenticates clients within 2 s; its faults are `unavailable`, and users have their canonical spelling."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import anyio
import pytest

from chatcore import (
    AddMember,
    Bye,
    Chat,
    Invalid,
    ListRooms,
    Principal,
    Profiles,
    RateLimited,
    SendMessage,
    Unauthenticated,
    Unavailable,
)
from chatcore.ports.authenticator import Credentials
from chatcore.protocol import Object
from chatcore.testing import Recorder, virtual_time
from chatcore_memory import MemoryStore

pytestmark = pytest.mark.anyio

SHOWN = Credentials(token="t")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


async def returns_str(_: Credentials) -> Any:
    return "alice"


async def raises(_: Credentials) -> Principal | None:
    raise OSError("no route to the host's own service")


def is_not_async(_: Credentials) -> Any:
    return Principal("alice")


async def hangs(_: Credentials) -> Any:
    await anyio.sleep_forever()


async def returns_user_number(_: Credentials) -> Principal | None:
    return Principal(7)  # type: ignore[arg-type]


async def returns_lazy_user(_: Credentials) -> Principal | None:
    return Principal(LazyUser())  # type: ignore[arg-type]


async def returns_claim_as_end(_: Credentials) -> Principal | None:
    return Principal("alice", expires_at=1_900_000_000)  # type: ignore[arg-type]


async def returns_end_without_zone(_: Credentials) -> Principal | None:
    return Principal("alice", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001


async def times_out_itself(_: Credentials) -> Principal | None:
    raise TimeoutError("no connection to the database")


NO_END = "expires_at is a datetime with a time zone, such as datetime.fromtimestamp(exp, UTC)"
FAULTS = {
    "returns a str": (
        returns_str,
        "reason=authenticate returned str remedy=return Principal(user), or None for wrong credentials",
    ),
    "raises": (raises, "reason=OSError: no route to the host's own service"),
    "is not async": (
        is_not_async,
        "reason=authenticate is not async remedy=write `async def authenticate(credentials)`",
    ),
    "hangs": (hangs, "reason=authenticate took more than 2 s remedy=answer sooner, or raise Unavailable"),
    "times out itself": (times_out_itself, "reason=TimeoutError: no connection to the database"),
    "user is a number": (returns_user_number, "reason=TypeError: a user is a str, such as str(user.id), not int"),
    "user is lazy": (
        returns_lazy_user,
        "reason=TypeError: a user is a str, such as str(user.id), not LazyUser",
    ),
    "end is a number": (returns_claim_as_end, f"reason=TypeError: {NO_END}, not int"),
    "end has no zone": (returns_end_without_zone, f"reason=TypeError: {NO_END}, not one without"),
}


@pytest.mark.parametrize(("authenticate", "logged"), FAULTS.values(), ids=FAULTS.keys())
async def test_fault_of_authenticate_is_unavailable_and_logged_once(
    authenticate: Callable[[Credentials], Awaitable[Principal | None]], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Chat(MemoryStore()) as chat:
        for _ in range(3):
            began = anyio.current_time()
            with pytest.raises(Unavailable):
                await chat.authenticated(authenticate, SHOWN)
            assert anyio.current_time() - began == (2 if authenticate is hangs else 0)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"authentication failed: {logged}"


async def test_none_is_unauthenticated_and_other_errors_pass() -> None:
    async def refuses(_: Credentials) -> Principal | None:
        return None

    async def limits(_: Credentials) -> Principal | None:
        raise RateLimited(retry_after_ms=9)

    async with Chat(MemoryStore()) as chat:
        with pytest.raises(Unauthenticated):
            await chat.authenticated(refuses, SHOWN)
        with pytest.raises(RateLimited):
            await chat.authenticated(limits, SHOWN)


async def test_principal_gets_the_canonical_user() -> None:
    async def knows(_: Credentials) -> Principal | None:
        return Principal("Alice", device="phone", session="s")

    async def knows_nobody(_: Credentials) -> Principal | None:
        return Principal("nobody")

    def canonical(user: str) -> str | None:
        return None if user == "nobody" else user.lower()

    async with Chat(MemoryStore(), canonical=canonical) as chat:
        assert await chat.authenticated(knows, SHOWN) == Principal("alice", device="phone", session="s")
        with pytest.raises(Unauthenticated):
            await chat.authenticated(knows_nobody, SHOWN)


async def test_host_calls_use_the_canonical_user() -> None:
    bob = Recorder()
    async with Chat(MemoryStore(), canonical=str.lower) as chat, chat.connect(bob, user="Bob") as socket:
        sent = await chat.execute("Alice", SendMessage(to="BOB", body="hi", key="k1"))
        assert socket.info.user == "bob"
        assert bob.bodies(sent.room) == ["hi"]
        (view,) = (await chat.execute("aLICE", ListRooms())).rooms
        assert view.user == "alice"
        assert [info.user for info in await chat.sockets("BOB")] == ["bob"]
        await chat.close_socket("bOb", socket.info.id)
        assert bob.bye == Bye(code="kicked")


async def test_refreshed_token_may_name_the_user_in_another_spelling() -> None:
    async def authenticate(token: str | None) -> Principal | None:
        assert token
        return Principal(token)

    answers: list[Object] = []
    async with (
        Chat(MemoryStore(), canonical=str.lower) as chat,
        chat.connect(Recorder(), user="bob", authenticate=authenticate) as socket,
    ):
        for token in ("BOB", "Alice"):
            await socket.receive("auth.refresh", {"token": token}, answers.append)
    assert [answer["ok"] for answer in answers] == [True, False]


class LazyUser:
    """A lazy object, such as Django's: it pretends to be the str that it stands for."""

    __class__ = str  # type: ignore[assignment]


@pytest.mark.parametrize("user", [7, uuid4(), LazyUser(), None, b"bob"], ids=["int", "UUID", "lazy", "None", "bytes"])
async def test_user_that_is_no_str_is_a_type_error_that_says_str_user_id(user: Any) -> None:
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(TypeError, match=r"str\(user\.id\)"):
            await chat.execute(user, ListRooms())
        with pytest.raises(TypeError, match=r"str\(user\.id\)"):
            chat.connect(Recorder(), user=user)
        with pytest.raises(Invalid, match=r"str\(user\.id\)"):
            await chat.execute("alice", AddMember(room="room-" + "a" * 26, user=user))
        with pytest.raises(Invalid, match=r"str\(user\.id\)"):
            await chat.execute("alice", Profiles(users=[user]))
        with pytest.raises(TypeError, match=r"str\(user\.id\)"):
            await chat.sockets(user)
    with pytest.raises(TypeError, match=r"str\(user\.id\)"):
        Principal(user)


@pytest.mark.parametrize("end", [1_900_000_000, datetime(2030, 1, 1)], ids=["number", "no zone"])  # noqa: DTZ001
async def test_end_of_access_without_a_time_zone_is_a_type_error_at_connect(end: Any) -> None:
    async with Chat(MemoryStore()) as chat:
        with pytest.raises(TypeError, match=r"expires_at is a datetime with a time zone"):
            chat.connect(Recorder(), user="alice", expires_at=end)
