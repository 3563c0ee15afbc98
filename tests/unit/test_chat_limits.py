"""The limits of messages, created rooms and invitations, which a host may set."""

import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import pytest

from chatcore import Chat, CommandLimits, CreateRoom, InviteUser, RateLimited, SendMessage, SendRates
from chatcore.commands import rate_limits as commands_limits
from chatcore.domain import token_buckets
from chatcore.domain.token_buckets import TokenBuckets
from chatcore.errors import ChatError, NotFound
from chatcore.ports.rate_limiter import Rate, Unlimited
from chatcore.testing import Recorder
from chatcore_limits import MemoryRateLimiter
from chatcore_memory import MemoryStore

from .accounts_node import Clock
from .live.nodes import HeldStore

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def limited(clock: Clock, user: Rate | None = None, room: Rate | None = None) -> AsyncGenerator[Chat]:
    limiter = MemoryRateLimiter({"create": Rate(2, 60), "invite": Rate(3, 60)}, clock=clock)
    async with Chat(MemoryStore(), limits=CommandLimits(SendRates(user=user, room=room), limiter, clock)) as chat:
        yield chat


def say(number: int, to: str = "bob") -> SendMessage:
    return SendMessage(to=to, body=f"{number}", key=f"key-{number}")


async def outcome(chat: Chat, user: str, command: Any) -> str | int:
    """Run a command. Returns the seq of a message, ``done``, an error code, or how long to wait."""
    try:
        answer = await chat.execute(user, command)
    except RateLimited as error:
        return f"wait {error.retry_after_ms}"
    except ChatError as error:
        return error.code
    return getattr(answer, "seq", "done")


async def test_user_can_send_a_burst_and_then_at_the_rate() -> None:
    clock = Clock()
    async with limited(clock, user=Rate(4, 2)) as chat:
        assert [await outcome(chat, "alice", say(number)) for number in range(6)] == [
            1,
            2,
            3,
            4,
            "wait 500",
            "wait 500",
        ]
        clock.tick(0.5)
        assert [await outcome(chat, "alice", say(number)) for number in (4, 5)] == [5, "wait 500"]
        assert await outcome(chat, "eve", say(0)) == 1
        clock.tick(60)
        assert [await outcome(chat, "alice", say(number)) for number in range(5, 10)] == [6, 7, 8, 9, "wait 500"]


async def test_room_can_get_a_burst_of_all_its_users_and_then_the_rate() -> None:
    clock = Clock()
    async with limited(clock, room=Rate(3, 3)) as chat:
        sent = [
            await outcome(chat, user, say(number, to)) for number, (user, to) in enumerate([("a", "b"), ("b", "a")] * 2)
        ]
        assert sent == [1, 2, 3, "wait 1000"]
        assert await outcome(chat, "a", say(0, "c")) == 1


async def test_refusal_by_the_room_does_not_count_for_the_user() -> None:
    clock = Clock()
    async with limited(clock, user=Rate(3, 3_000), room=Rate(1, 1)) as chat:
        assert await outcome(chat, "alice", say(0)) == 1
        assert [await outcome(chat, "alice", say(1)) for _ in range(9)] == ["wait 1000"] * 9
        assert [await outcome(chat, "alice", say(2, to)) for to in ("carol", "dave")] == [1, 1]


async def test_refused_users_do_not_use_up_the_rate_of_members() -> None:
    async with limited(Clock(), room=Rate(2, 3_600)) as chat:
        room = (await chat.execute("alice", say(0))).room
        for number in range(20):
            with pytest.raises(NotFound):
                await chat.execute("eve", SendMessage(room=room, body="x", key=f"{number}"))
        assert [await outcome(chat, "bob", say(number, "alice")) for number in (1, 2)] == [2, "wait 1800000"]


async def test_room_at_its_limit_is_not_found_for_users_that_are_not_members() -> None:
    async with limited(Clock(), room=Rate(1, 3_600)) as chat:
        private = (await chat.execute("alice", say(0))).room
        group = (await chat.execute("alice", CreateRoom(kind="group", title="t", key="0"))).view.room
        await chat.execute("alice", SendMessage(room=group, body="x", key="1"))
        for room in (private, group):
            full = await outcome(chat, "alice", SendMessage(room=room, body="x", key="2"))
            assert str(full).startswith("wait"), full
            assert await outcome(chat, "eve", SendMessage(room=room, body="x", key="3")) == "not_found"


async def test_room_at_its_limit_answers_retries() -> None:
    async with limited(Clock(), room=Rate(1, 3_600)) as chat:
        first = await chat.execute("alice", say(0))
        again = await chat.execute("alice", say(0))
        assert (again.seq, first.duplicate, again.duplicate) == (1, False, True)
        assert await outcome(chat, "alice", say(1)) == "wait 3600000"


async def test_message_counts_once_for_its_room_for_any_number_of_tries() -> None:
    store = HeldStore()
    limits = CommandLimits(SendRates(room=Rate(2, 3_600)), Unlimited(), Clock())
    async with Chat(store, limits=limits) as chat:
        for _ in range(3):
            store.fail("append", done=False)
        assert [await outcome(chat, "alice", say(number)) for number in range(3)] == [1, 2, "wait 1800000"]


async def test_retry_of_a_stored_message_is_limited() -> None:
    async with limited(Clock(), user=Rate(2, 2)) as chat:
        assert [await outcome(chat, "alice", say(0)) for _ in range(3)] == [1, 1, "wait 1000"]


async def test_edits_deletions_and_reactions_count_as_messages() -> None:
    async with limited(Clock(), user=Rate(4, 4_000)) as chat, chat.connect(Recorder(), user="alice") as socket:
        answers: list[Any] = []
        for event, fields in [
            ("message.send", {"to": "bob", "body": "x", "key": "1"}),
            ("message.edit", {"room": "pvt-alice-bob", "seq": 1, "version": 1, "body": "y"}),
            ("message.react", {"room": "pvt-alice-bob", "seq": 1, "emoji": "+", "on": True}),
            ("message.delete", {"room": "pvt-alice-bob", "seq": 1}),
            ("message.react", {"room": "pvt-alice-bob", "seq": 1, "emoji": "+", "on": True}),
        ]:
            await socket.receive(event, fields, answers.append)
        await socket.receive("rooms", {}, answers.append)
    assert [answer["ok"] for answer in answers] == [True] * 4 + [False, True]
    error = answers[4]["error"]
    assert (error["code"], error["temporary"], error["retry_after_ms"]) == ("rate_limited", True, 1_000_000)


async def test_refused_message_keeps_its_place_and_fails_later_messages() -> None:
    clock = Clock()
    async with limited(clock, user=Rate(2, 2)) as chat, chat.connect(Recorder(), user="alice") as socket:
        answers: list[tuple[int, Any]] = []

        def answer(number: int) -> Callable[[Any], None]:
            return lambda answer: answers.append((number, answer["ok"]))

        for number in range(4):
            if number == 3:
                clock.tick(1)
            await socket.receive("message.send", {"to": "bob", "body": "x", "key": f"{number}"}, answer(number))
        await socket.receive("rooms", {})
        assert answers == [(0, True), (1, True), (2, False), (3, False)]


async def test_refused_message_waits_for_no_other_socket_and_no_store() -> None:
    store, answers = HeldStore(), list[Any]()
    limits = CommandLimits(SendRates(user=Rate(1, 2_000)), Unlimited())
    async with (
        Chat(store, limits=limits) as chat,
        chat.connect(Recorder(), user="alice") as alice,
        chat.connect(Recorder(), user="bob") as bob,
    ):
        held = store.hold("append", done=False)
        await bob.receive("message.send", {"to": "alice", "body": "x", "key": "1"})
        await held.reached.wait()
        await chat.execute("alice", SendMessage(to="carol", body="x", key="1"))
        calls = list(store.calls)
        for to in ("bob", "dave"):
            await alice.receive("message.send", {"to": to, "body": "x", "key": "2"}, answers.append)
        held.open()
        assert [answer["error"]["code"] for answer in answers] == ["rate_limited"] * 2
        assert store.calls == calls


async def test_created_rooms_and_invitations_of_a_user_are_limited() -> None:
    clock = Clock()
    async with limited(clock) as chat:

        def create(key: str, *members: str) -> CreateRoom:
            return CreateRoom(kind="group", title="t", key=key, members=members)

        room = (await chat.execute("alice", create("1", "bob", "carol"))).view.room
        assert await outcome(chat, "alice", create("2", "bob", "carol")) == "wait 60000"
        assert await outcome(chat, "alice", InviteUser(room=room, user="dave")) == 2
        assert await outcome(chat, "alice", InviteUser(room=room, user="eve")) == "wait 60000"
        assert [await outcome(chat, "alice", create(key)) for key in ("3", "4")] == ["done", "wait 60000"]
        clock.tick(60)
        assert await outcome(chat, "alice", create("4", "bob")) == "done"


async def test_chat_without_limits_admits_every_message() -> None:
    async with Chat(MemoryStore()) as chat:
        for number in range(3_000):
            await chat.execute("alice", say(number))


async def test_limit_is_logged_once_a_minute_for_each_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    async with limited(clock, user=Rate(1, 3_600)) as chat:
        for user in ("alice", "e\u2028ve"):
            for number in range(5):
                await outcome(chat, user, say(number))
        clock.tick(60)
        await outcome(chat, "alice", say(9))
    lines = [f"command limit reached: limit=send key={key}" for key in ("'alice'", "'e\\u2028ve'", "'alice'")]
    assert caplog.messages == lines


async def test_limits_cost_at_most_four_calls_a_message() -> None:
    files = {commands_limits.__file__, token_buckets.__file__}
    calls: list[str] = []

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename in files:
            calls.append(frame.f_code.co_qualname)

    rate = Rate(500, 10)
    async with limited(Clock(), user=rate, room=rate) as chat:
        await chat.execute("alice", say(0))
        sys.setprofile(profile)
        await chat.execute("alice", say(1))
        sys.setprofile(None)
    assert 0 < len(calls) <= 4, calls


def test_token_buckets_are_bounded_in_number() -> None:
    buckets = TokenBuckets(1, 60, keys_max=10)
    for number in range(1_000):
        assert buckets.take(f"{number}", 0.0) == 0
    assert len(buckets._full_at) == 10
    assert [buckets.take(f"{number}", 0.0) > 0 for number in (999, 990, 989)] == [True, True, False]


def test_token_bucket_admits_exactly_its_amount_at_any_time() -> None:
    for now in (0.0, 0.1, 1e6 / 3, 1e9 / 7):
        for amount, period_s in ((3, 7), (500, 10), (2000, 4), (7, 3600)):
            buckets = TokenBuckets(amount, period_s)
            assert [buckets.take("a", now) > 0 for _ in range(amount + 1)] == [False] * amount + [True]
