"""Sign-up, sign-in, sign-out, and the principal of a token."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import argon2
import pytest

from chatcore.accounts import Session, Tokens
from chatcore.accounts.session_cache import SessionCache
from chatcore.errors import Conflict, Invalid, Unauthenticated, Unavailable
from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore.ports.user_directory import Profile, UserDirectory
from chatcore_memory import MemoryAccounts
from chatcore_security import JwtTokens

from .accounts_node import PASSWORD, SECRET, Clock, Node

pytestmark = pytest.mark.anyio

NO_LINE = ["", "a\nb", "\x00", "\x7f", "\x85", "\ud800", "🙂\udfff"]


@pytest.fixture
def node() -> Node:
    return Node()


async def signed_in(node: Node, device: str | None = "phone") -> Tokens:
    """Sign bob in on a device, after a sign-up if he has no account."""
    if await node.store.password_hash("bob") is None:
        await node.accounts.sign_up("bob", PASSWORD)
    return await node.accounts.sign_in("bob", PASSWORD, device)


async def authenticated(node: Node, tokens: Tokens) -> Principal | None:
    return await node.accounts.authenticate(Credentials(token=tokens.access_token))


def session_of(node: Node, tokens: Tokens) -> str:
    read = node.tokens.read_refresh(tokens.refresh_token)
    assert read
    return read[0]


# Signing up


async def test_signed_up_user_is_in_the_directory(node: Node) -> None:
    assert await node.accounts.sign_up("bob", PASSWORD, "Bob B.") == "bob"
    assert await node.accounts.sign_up("eve", PASSWORD) == "eve"
    assert await node.accounts.directory(["bob", "eve", "unknown"]) == {
        "bob": Profile(name="Bob B."),
        "eve": Profile(),
    }


async def test_spellings_of_a_name_are_one_account(node: Node) -> None:
    assert await node.accounts.sign_up("Bo\u0308b", PASSWORD) == "böb"
    for spelling in ("böb", "BÖB", "\uff22ÖB"):
        with pytest.raises(Conflict):
            await node.accounts.sign_up(spelling, PASSWORD)
        assert (await node.accounts.sign_in(spelling, PASSWORD)).user == "böb"
        assert node.accounts.canonical(spelling) == "böb"


@pytest.mark.parametrize("user", ["", ".", "..", "a b", "🙂", "a\nb", "\x00", "\ud800", "x" * 33, "x" * 100_000])
async def test_name_refused_by_precis_is_invalid_at_sign_up(node: Node, user: str) -> None:
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_up(user, PASSWORD)
    assert refused.value.field == "user"
    assert node.accounts.canonical(user) is None


@pytest.mark.parametrize("password", ["", "seven77", "x" * 1025, "surrogate\ud800"])
async def test_password_out_of_bounds_is_invalid(node: Node, password: str) -> None:
    for call in (node.accounts.sign_up, node.accounts.sign_in):
        with pytest.raises(Invalid) as refused:
            await call("bob", password)
        assert refused.value.field == "password"
    assert not node.hasher.verified


@pytest.mark.parametrize("name", [*NO_LINE, "x" * 101])
async def test_display_name_out_of_bounds_is_invalid_and_creates_no_account(node: Node, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_up("bob", PASSWORD, name)
    assert refused.value.field == "name"
    assert not await node.accounts.directory(["bob"])


@pytest.mark.parametrize("password", ["x" * 8, "🙂" * 1024, "tab\tand\nNUL\x00"])
async def test_password_within_bounds_can_hold_any_character(node: Node, password: str) -> None:
    await node.accounts.sign_up("x" * 32, password, "🙂" * 100)
    assert (await node.accounts.sign_in("x" * 32, password, "🙂" * 64)).device == "🙂" * 64


async def test_store_gets_only_a_hash_of_the_password(node: Node) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    stored = await node.store.password_hash("bob")
    assert stored
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


# Signing in


async def test_sign_in_returns_tokens_of_user_and_device(node: Node) -> None:
    tokens = await signed_in(node)
    assert (tokens.user, tokens.device, tokens.expires_in) == ("bob", "phone", 900)
    ends = datetime.fromtimestamp(node.clock() + 900, UTC)
    assert await authenticated(node, tokens) == Principal("bob", "phone", ends, session_of(node, tokens))


async def test_device_without_a_name_gets_a_unique_name(node: Node) -> None:
    devices = {(await signed_in(node, device=None)).device for _ in range(10)}
    assert len(devices) == 10
    assert all(1 <= len(device) <= 64 for device in devices)


@pytest.mark.parametrize("device", [*NO_LINE, "x" * 65])
async def test_device_name_out_of_bounds_is_invalid(node: Node, device: str) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_in("bob", PASSWORD, device)
    assert refused.value.field == "device"


async def test_unknown_user_wrong_password_and_invalid_name_get_equal_answers(node: Node) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    answers: set[tuple[Any, ...]] = set()
    for user, password in [("bob", "wrong password"), ("unknown", PASSWORD), ("no name", PASSWORD), ("..", PASSWORD)]:
        node.hasher.verified.clear()
        with pytest.raises(Unauthenticated) as refused:
            await node.accounts.sign_in(user, password)
        answers.add((refused.value.message, refused.value.field, refused.value.retry_after_ms))
        assert node.hasher.verified == [argon2.profiles.CHEAPEST]
    assert len(answers) == 1


async def test_refused_sign_in_opens_no_session() -> None:
    class NoSessions(MemoryAccounts):
        async def open_session(self, session: Session, lifetime: timedelta) -> None:
            raise AssertionError("a session was opened")

    node = Node(store=NoSessions())
    await node.accounts.sign_up("bob", PASSWORD)
    for user, password in [("bob", "wrong password"), ("unknown", PASSWORD)]:
        with pytest.raises(Unauthenticated):
            await node.accounts.sign_in(user, password)


# Authentication


async def test_access_token_is_valid_until_its_end(node: Node) -> None:
    tokens = await signed_in(node)
    node.clock.tick(899.9)
    assert await authenticated(node, tokens)
    node.clock.tick(0.1)
    assert await authenticated(node, tokens) is None


@pytest.mark.parametrize("token", [None, "", "x", "x.y.z", "\ud800"])
async def test_missing_or_malformed_token_is_unauthenticated(node: Node, token: str | None) -> None:
    assert await node.accounts.authenticate(Credentials(token=token)) is None


async def test_refresh_and_access_tokens_are_not_interchangeable(node: Node) -> None:
    tokens = await signed_in(node)
    assert await node.accounts.authenticate(Credentials(token=tokens.refresh_token)) is None
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.access_token)


async def test_token_in_headers_or_cookies_is_not_read_by_accounts(node: Node) -> None:
    tokens = await signed_in(node)
    elsewhere = {"authorization": f"Bearer {tokens.access_token}", "token": tokens.access_token}
    assert await node.accounts.authenticate(Credentials(headers=elsewhere, cookies=elsewhere)) is None


async def test_token_is_valid_on_every_node_with_the_secret_only(node: Node) -> None:
    tokens = await signed_in(node)
    assert await authenticated(node.another(), tokens)
    other = Node(clock=node.clock, store=node.store, secret=SECRET[::-1])
    assert await authenticated(other, tokens) is None
    with pytest.raises(Unauthenticated):
        await other.accounts.refresh(tokens.refresh_token)
    await node.accounts.refresh(tokens.refresh_token)


async def test_token_of_an_unknown_session_is_unauthenticated(node: Node) -> None:
    token, _ = JwtTokens(SECRET, clock=node.clock).issue_access(Session(id="s", user="bob", device="d", generation=1))
    assert await node.accounts.authenticate(Credentials(token=token)) is None


async def test_unavailable_store_is_no_refusal() -> None:
    class Gone(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            raise Unavailable

    node = Node(store=Gone())
    tokens = await signed_in(node)
    with pytest.raises(Unavailable):
        await authenticated(node, tokens)


# Signing out


async def test_sign_out_ends_one_session_at_once_and_reports_its_end(node: Node) -> None:
    phone, laptop = await signed_in(node), await signed_in(node, "laptop")
    assert await authenticated(node, phone)
    await node.accounts.sign_out(session_of(node, phone))
    assert await authenticated(node, phone) is None
    assert await authenticated(node, laptop)
    assert node.ended == [("bob", session_of(node, phone))]
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(phone.refresh_token)


async def test_session_is_refused_on_its_node_before_its_end_is_reported() -> None:
    """A socket that connects while the sockets of its session are closed would stay open."""

    class Asking(Node):
        async def on_ended(self, user: str, session: str) -> None:
            admitted.append(await authenticated(self, tokens))

    admitted: list[Principal | None] = []
    node = Asking()
    tokens = await signed_in(node)
    assert await authenticated(node, tokens)
    await node.accounts.sign_out(session_of(node, tokens))
    assert admitted == [None]


async def test_repeated_sign_out_is_reported_once(node: Node) -> None:
    tokens = await signed_in(node)
    other = node.another()
    for asked in (node, node, other):
        await asked.accounts.sign_out(session_of(node, tokens))
    assert len(node.ended + other.ended) == 1


async def test_other_node_accepts_an_ended_session_for_less_than_10_s(node: Node) -> None:
    tokens, other = await signed_in(node), node.another()
    assert await authenticated(other, tokens)
    await node.accounts.sign_out(session_of(node, tokens))
    node.clock.tick(9.9)
    assert await authenticated(other, tokens)  # the cache may answer for less than 10 s
    node.clock.tick(0.1)
    assert await authenticated(other, tokens) is None


async def test_store_is_asked_once_in_10_s_about_an_open_session() -> None:
    class Counting(MemoryAccounts):
        questions = 0

        async def session(self, session_id: str) -> Session | None:
            self.questions += 1
            return await super().session(session_id)

    node = Node(store=(store := Counting()))
    tokens = await signed_in(node)
    for _ in range(100):
        assert await authenticated(node, tokens)
    assert store.questions == 1
    node.clock.tick(10)
    assert await authenticated(node, tokens)
    assert store.questions == 2


async def test_socket_is_authenticated_by_a_fresh_read_of_the_store() -> None:
    here, elsewhere = Node(store=(store := MemoryAccounts())), Node(store=store)
    tokens = await signed_in(here)
    credentials = Credentials(token=tokens.access_token)
    assert await here.accounts.authenticate_socket(credentials)
    await elsewhere.accounts.sign_out(session_of(here, tokens))
    assert await here.accounts.authenticate(credentials)
    assert await here.accounts.authenticate_socket(credentials) is None
    assert await here.accounts.authenticate(credentials) is None


async def test_answer_of_the_store_counts_from_the_time_of_the_question() -> None:
    clock = Clock()

    class Slow(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            session = await super().session(session_id)
            clock.tick(8)
            return session

    node = Node(clock=clock, store=Slow())
    tokens = await signed_in(node)
    assert await authenticated(node, tokens)
    await node.store.end_session(session_of(node, tokens))  # as another node does
    clock.tick(2)
    assert await authenticated(node, tokens) is None


async def test_session_that_ends_during_a_read_of_the_store_stays_ended() -> None:
    class Held(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            session = await super().session(session_id)
            if not read.is_set():
                read.set()
                await go_on.wait()
            return session

    read, go_on = anyio.Event(), anyio.Event()
    node = Node(store=Held())
    tokens = await signed_in(node)
    answers: list[Principal | None] = []

    async def ask() -> None:
        answers.append(await authenticated(node, tokens))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await read.wait()
        await node.accounts.sign_out(session_of(node, tokens))
        go_on.set()
    assert answers == [None]
    assert await authenticated(node, tokens) is None


async def test_cancelled_sign_out_still_ends_session_and_sockets() -> None:
    class Held(MemoryAccounts):
        async def end_session(self, session_id: str) -> None:
            ending.set()
            await go_on.wait()
            await super().end_session(session_id)

    ending, go_on = anyio.Event(), anyio.Event()
    node = Node(store=Held())
    tokens = await signed_in(node)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(node.accounts.sign_out, session_of(node, tokens))
        await ending.wait()
        tasks.cancel_scope.cancel()
        go_on.set()
    assert node.ended == [("bob", session_of(node, tokens))]
    assert await authenticated(node, tokens) is None


async def test_session_cache_is_bounded() -> None:
    cache = SessionCache(sessions_max=3)
    for number in range(10):
        cache.add_open(f"open {number}", asked_at=0)
        cache.add_ended(f"ended {number}")
    assert [cache.is_open(f"open {number}", 0) for number in range(10)] == [None] * 7 + [True] * 3
    assert [cache.is_open(f"ended {number}", 0) for number in range(10)] == [None] * 7 + [False] * 3


async def test_session_cache_forgets_the_least_recently_confirmed_session() -> None:
    cache = SessionCache(sessions_max=2)
    for session in ("a", "b", "a", "c"):
        cache.add_open(session, asked_at=0)
    assert [cache.is_open(session, 0) for session in "abc"] == [True, None, True]


async def test_ended_session_is_not_open_when_its_end_is_forgotten() -> None:
    cache = SessionCache(sessions_max=2)
    cache.add_open("a", asked_at=0)
    for session in "abc":
        cache.add_ended(session)
    assert cache.is_open("a", 0) is None


async def test_accounts_are_an_authenticator_and_a_user_directory(node: Node) -> None:
    authenticate: Authenticator = node.accounts.authenticate
    directory: UserDirectory = node.accounts.directory
    tokens = await signed_in(node)
    assert await authenticate(Credentials(token=tokens.access_token))
    assert set(await directory([node.accounts.canonical("BOB") or ""])) == {"bob"}
