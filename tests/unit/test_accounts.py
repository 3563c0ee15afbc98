"""Sign-up, sign-in, and who a token stands for."""

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
    """What bob's device gets, who signs up when he has not yet."""
    if await node.store.password_hash("bob") is None:
        await node.accounts.sign_up("bob", PASSWORD)
    return await node.accounts.sign_in("bob", PASSWORD, device)


async def asked(node: Node, tokens: Tokens) -> Principal | None:
    return await node.accounts.authenticate(Credentials(token=tokens.access_token))


def session_of(node: Node, tokens: Tokens) -> str:
    read = node.tokens.read_refresh(tokens.refresh_token)
    assert read
    return read[0]


# Signing up


async def test_who_signs_up_is_in_the_directory(node: Node) -> None:
    assert await node.accounts.sign_up("bob", PASSWORD, "Bob B.") == "bob"
    assert await node.accounts.sign_up("eve", PASSWORD) == "eve"
    assert await node.accounts.directory(["bob", "eve", "nobody"]) == {
        "bob": Profile(name="Bob B."),
        "eve": Profile(),
    }


async def test_all_spellings_of_a_name_are_one_account(node: Node) -> None:
    assert await node.accounts.sign_up("Bo\u0308b", PASSWORD) == "böb"
    for spelling in ("böb", "BÖB", "\uff22ÖB"):
        with pytest.raises(Conflict):
            await node.accounts.sign_up(spelling, PASSWORD)
        assert (await node.accounts.sign_in(spelling, PASSWORD)).user == "böb"
        assert node.accounts.canonical(spelling) == "böb"


@pytest.mark.parametrize("user", ["", ".", "..", "a b", "🙂", "a\nb", "\x00", "\ud800", "x" * 33, "x" * 100_000])
async def test_a_name_that_precis_refuses_is_invalid_at_sign_up(node: Node, user: str) -> None:
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_up(user, PASSWORD)
    assert refused.value.field == "user"
    assert node.accounts.canonical(user) is None


@pytest.mark.parametrize("password", ["", "seven77", "x" * 1025, "surrogate\ud800"])
async def test_a_password_out_of_bounds_is_invalid(node: Node, password: str) -> None:
    for call in (node.accounts.sign_up, node.accounts.sign_in):
        with pytest.raises(Invalid) as refused:
            await call("bob", password)
        assert refused.value.field == "password"
    assert not node.hasher.verified


@pytest.mark.parametrize("name", [*NO_LINE, "x" * 101])
async def test_a_name_out_of_bounds_is_invalid_and_makes_no_account(node: Node, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_up("bob", PASSWORD, name)
    assert refused.value.field == "name"
    assert not await node.accounts.directory(["bob"])


@pytest.mark.parametrize("password", ["x" * 8, "🙂" * 1024, "tab\tand\nNUL\x00"])
async def test_a_password_within_bounds_may_hold_anything(node: Node, password: str) -> None:
    await node.accounts.sign_up("x" * 32, password, "🙂" * 100)
    assert (await node.accounts.sign_in("x" * 32, password, "🙂" * 64)).device == "🙂" * 64


async def test_the_store_sees_a_hash_of_the_password_only(node: Node) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    kept = await node.store.password_hash("bob")
    assert kept
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


# Signing in


async def test_signing_in_gives_tokens_that_stand_for_user_and_device(node: Node) -> None:
    tokens = await signed_in(node)
    assert (tokens.user, tokens.device, tokens.expires_in) == ("bob", "phone", 900)
    ends = datetime.fromtimestamp(node.clock() + 900, UTC)
    assert await asked(node, tokens) == Principal("bob", "phone", ends, session_of(node, tokens))


async def test_a_device_without_a_name_gets_one_of_its_own(node: Node) -> None:
    devices = {(await signed_in(node, device=None)).device for _ in range(10)}
    assert len(devices) == 10
    assert all(1 <= len(device) <= 64 for device in devices)


@pytest.mark.parametrize("device", [*NO_LINE, "x" * 65])
async def test_a_device_out_of_bounds_is_invalid(node: Node, device: str) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    with pytest.raises(Invalid) as refused:
        await node.accounts.sign_in("bob", PASSWORD, device)
    assert refused.value.field == "device"


async def test_unknown_user_wrong_password_and_refused_name_get_one_answer_for_one_effort(node: Node) -> None:
    await node.accounts.sign_up("bob", PASSWORD)
    answers: set[tuple[Any, ...]] = set()
    for user, password in [("bob", "wrong password"), ("nobody", PASSWORD), ("no name", PASSWORD), ("..", PASSWORD)]:
        node.hasher.verified.clear()
        with pytest.raises(Unauthenticated) as refused:
            await node.accounts.sign_in(user, password)
        answers.add((refused.value.message, refused.value.field, refused.value.retry_after_ms))
        assert node.hasher.verified == [argon2.profiles.CHEAPEST]
    assert len(answers) == 1


async def test_a_refused_sign_in_opens_no_session() -> None:
    class NoSessions(MemoryAccounts):
        async def open_session(self, session: Session, lifetime: timedelta) -> None:
            raise AssertionError("a session was opened")

    node = Node(store=NoSessions())
    await node.accounts.sign_up("bob", PASSWORD)
    for user, password in [("bob", "wrong password"), ("nobody", PASSWORD)]:
        with pytest.raises(Unauthenticated):
            await node.accounts.sign_in(user, password)


# Who it is


async def test_an_access_token_is_good_until_its_end_and_not_beyond(node: Node) -> None:
    tokens = await signed_in(node)
    node.clock.tick(899.9)
    assert await asked(node, tokens)
    node.clock.tick(0.1)
    assert await asked(node, tokens) is None


@pytest.mark.parametrize("token", [None, "", "x", "x.y.z", "\ud800"])
async def test_without_a_token_of_ours_one_is_nobody(node: Node, token: str | None) -> None:
    assert await node.accounts.authenticate(Credentials(token=token)) is None


async def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(node: Node) -> None:
    tokens = await signed_in(node)
    assert await node.accounts.authenticate(Credentials(token=tokens.refresh_token)) is None
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.access_token)


async def test_a_token_in_a_header_or_cookie_is_the_transports_to_find(node: Node) -> None:
    tokens = await signed_in(node)
    elsewhere = {"authorization": f"Bearer {tokens.access_token}", "token": tokens.access_token}
    assert await node.accounts.authenticate(Credentials(headers=elsewhere, cookies=elsewhere)) is None


async def test_every_node_with_the_secret_knows_the_token_and_no_other(node: Node) -> None:
    tokens = await signed_in(node)
    assert await asked(node.another(), tokens)
    other = Node(clock=node.clock, store=node.store, secret=SECRET[::-1])
    assert await asked(other, tokens) is None
    with pytest.raises(Unauthenticated):
        await other.accounts.refresh(tokens.refresh_token)
    await node.accounts.refresh(tokens.refresh_token)


async def test_a_token_of_ours_for_a_session_that_never_was_is_refused(node: Node) -> None:
    token, _ = JwtTokens(SECRET, clock=node.clock).issue_access(Session(id="s", user="bob", device="d", generation=1))
    assert await node.accounts.authenticate(Credentials(token=token)) is None


async def test_a_store_that_is_not_there_is_no_refusal() -> None:
    class Gone(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            raise Unavailable

    node = Node(store=Gone())
    tokens = await signed_in(node)
    with pytest.raises(Unavailable):
        await asked(node, tokens)


# Signing out


async def test_signing_out_ends_one_session_here_at_once_and_tells_so(node: Node) -> None:
    phone, laptop = await signed_in(node), await signed_in(node, "laptop")
    assert await asked(node, phone)
    await node.accounts.sign_out(session_of(node, phone))
    assert await asked(node, phone) is None
    assert await asked(node, laptop)
    assert node.ended == [("bob", session_of(node, phone))]
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(phone.refresh_token)


async def test_session_is_refused_here_before_its_end_is_told() -> None:
    """A socket that connects while the others of its session are ended would stay."""

    class Asking(Node):
        async def on_ended(self, user: str, session: str) -> None:
            admitted.append(await asked(self, tokens))

    admitted: list[Principal | None] = []
    node = Asking()
    tokens = await signed_in(node)
    assert await asked(node, tokens)
    await node.accounts.sign_out(session_of(node, tokens))
    assert admitted == [None]


async def test_signing_out_twice_is_told_once(node: Node) -> None:
    tokens = await signed_in(node)
    other = node.another()
    for signs_out in (node, node, other):
        await signs_out.accounts.sign_out(session_of(node, tokens))
    assert len(node.ended + other.ended) == 1


async def test_another_node_believes_for_less_than_10_s_that_a_session_is_open(node: Node) -> None:
    tokens, other = await signed_in(node), node.another()
    assert await asked(other, tokens)
    await node.accounts.sign_out(session_of(node, tokens))
    node.clock.tick(9.9)
    assert await asked(other, tokens)  # not promised, but the store is spared
    node.clock.tick(0.1)
    assert await asked(other, tokens) is None


async def test_the_store_is_asked_once_in_10_s_about_an_open_session() -> None:
    class Counting(MemoryAccounts):
        questions = 0

        async def session(self, session_id: str) -> Session | None:
            self.questions += 1
            return await super().session(session_id)

    node = Node(store=(store := Counting()))
    tokens = await signed_in(node)
    for _ in range(100):
        assert await asked(node, tokens)
    assert store.questions == 1
    node.clock.tick(10)
    assert await asked(node, tokens)
    assert store.questions == 2


async def test_a_socket_is_admitted_by_what_the_store_says_now() -> None:
    here, elsewhere = Node(store=(store := MemoryAccounts())), Node(store=store)
    tokens = await signed_in(here)
    credentials = Credentials(token=tokens.access_token)
    assert await here.accounts.authenticate_socket(credentials)
    await elsewhere.accounts.sign_out(session_of(here, tokens))
    assert await here.accounts.authenticate(credentials)
    assert await here.accounts.authenticate_socket(credentials) is None
    assert await here.accounts.authenticate(credentials) is None


async def test_an_answer_of_the_store_counts_from_when_it_was_asked() -> None:
    clock = Clock()

    class Slow(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            found = await super().session(session_id)
            clock.tick(8)
            return found

    node = Node(clock=clock, store=Slow())
    tokens = await signed_in(node)
    assert await asked(node, tokens)
    await node.store.end_session(session_of(node, tokens))  # by another node
    clock.tick(2)
    assert await asked(node, tokens) is None


async def test_a_session_that_ends_while_the_store_is_asked_stays_ended_here() -> None:
    class Held(MemoryAccounts):
        async def session(self, session_id: str) -> Session | None:
            found = await super().session(session_id)
            if not read.is_set():
                read.set()
                await go_on.wait()
            return found

    read, go_on = anyio.Event(), anyio.Event()
    node = Node(store=Held())
    tokens = await signed_in(node)
    answers: list[Principal | None] = []

    async def ask() -> None:
        answers.append(await asked(node, tokens))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await read.wait()
        await node.accounts.sign_out(session_of(node, tokens))
        go_on.set()
    assert answers == [None]
    assert await asked(node, tokens) is None


async def test_who_signs_out_and_hangs_up_has_signed_out_with_sockets_and_all() -> None:
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
    assert await asked(node, tokens) is None


async def test_what_a_node_knows_of_sessions_is_bounded() -> None:
    cache = SessionCache(sessions_max=3)
    for number in range(10):
        cache.add_open(f"open {number}", asked_at=0)
        cache.add_ended(f"ended {number}")
    assert [cache.is_open(f"open {number}", 0) for number in range(10)] == [None] * 7 + [True] * 3
    assert [cache.is_open(f"ended {number}", 0) for number in range(10)] == [None] * 7 + [False] * 3


async def test_the_session_found_open_longest_ago_makes_way_for_others() -> None:
    cache = SessionCache(sessions_max=2)
    for session in ("a", "b", "a", "c"):
        cache.add_open(session, asked_at=0)
    assert [cache.is_open(session, 0) for session in "abc"] == [True, None, True]


async def test_a_session_that_ended_is_not_open_again_when_its_end_is_forgotten() -> None:
    cache = SessionCache(sessions_max=2)
    cache.add_open("a", asked_at=0)
    for session in "abc":
        cache.add_ended(session)
    assert cache.is_open("a", 0) is None


async def test_accounts_are_the_servers_authenticator_and_directory(node: Node) -> None:
    authenticate: Authenticator = node.accounts.authenticate
    directory: UserDirectory = node.accounts.directory
    tokens = await signed_in(node)
    assert await authenticate(Credentials(token=tokens.access_token))
    assert set(await directory([node.accounts.canonical("BOB") or ""])) == {"bob"}
