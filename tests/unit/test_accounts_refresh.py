"""Refresh tokens: rotation, repetition within 5 s, and reuse after 5 s."""

from datetime import timedelta

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcore.accounts import Tokens
from chatcore.errors import Unauthenticated
from chatcore.ports.authenticator import Credentials

from .accounts_node import PASSWORD, Node

pytestmark = pytest.mark.anyio

DAY_S = 86_400


@pytest.fixture
def node() -> Node:
    return Node()


async def signed_in(node: Node) -> Tokens:
    await node.accounts.sign_up("bob", PASSWORD)
    return await node.accounts.sign_in("bob", PASSWORD, "phone")


async def is_open(node: Node, tokens: Tokens) -> bool:
    return await node.accounts.authenticate(Credentials(token=tokens.access_token)) is not None


async def test_refresh_returns_new_tokens_of_the_same_session(node: Node) -> None:
    first = await signed_in(node)
    node.clock.tick(600)
    second = await node.accounts.refresh(first.refresh_token)
    assert (second.user, second.device, second.expires_in) == ("bob", "phone", 900)
    assert second.refresh_token != first.refresh_token
    node.clock.tick(600)
    assert not await is_open(node, first)  # the access token has expired
    assert await is_open(node, second)


async def test_each_refresh_token_of_a_long_session_is_different(node: Node) -> None:
    tokens = await signed_in(node)
    seen = {tokens.refresh_token}
    for _ in range(50):
        node.clock.tick(600)
        tokens = await node.accounts.refresh(tokens.refresh_token)
        seen.add(tokens.refresh_token)
    assert len(seen) == 51
    assert not node.ended


async def test_spent_token_returns_the_same_new_token_for_5_s_on_any_node(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    for wait, asked in [(0, node), (2.5, node.another()), (2.5, node)]:
        node.clock.tick(wait)
        assert (await asked.accounts.refresh(first.refresh_token)).refresh_token == second.refresh_token
    await node.accounts.refresh(second.refresh_token)


async def test_spent_token_revokes_its_session_after_5_s(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    assert await is_open(node, second)
    node.clock.tick(5.001)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(first.refresh_token)
    assert [user for user, _ in node.ended] == ["bob"]
    assert not await is_open(node, first)
    assert not await is_open(node, second)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(second.refresh_token)
    assert len(node.ended) == 1


async def test_spent_token_revokes_its_session_after_the_clock_was_set_back(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    node.clock.tick(60)
    node.clock.tick(-3600)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(first.refresh_token)
    assert [user for user, _ in node.ended] == ["bob"]
    assert not await is_open(node, second)


async def test_5_s_of_a_spent_token_count_from_its_first_use(node: Node) -> None:
    first = await signed_in(node)
    await node.accounts.refresh(first.refresh_token)
    node.clock.tick(4)
    await node.accounts.refresh(first.refresh_token)
    node.clock.tick(4)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(first.refresh_token)
    assert node.ended


async def test_spent_token_returns_its_own_successor_even_if_that_is_spent(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    third = await node.accounts.refresh(second.refresh_token)
    assert (await node.accounts.refresh(first.refresh_token)).refresh_token == second.refresh_token
    assert (await node.accounts.refresh(second.refresh_token)).refresh_token == third.refresh_token
    await node.accounts.refresh(third.refresh_token)
    assert not node.ended


async def test_reuse_of_an_old_token_revokes_the_session(node: Node) -> None:
    first = tokens = await signed_in(node)
    for _ in range(40):
        node.clock.tick(600)
        tokens = await node.accounts.refresh(tokens.refresh_token)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(first.refresh_token)
    assert not await is_open(node, tokens)


async def test_reuse_ends_no_other_session_of_the_user(node: Node) -> None:
    phone = await signed_in(node)
    laptop = await node.accounts.sign_in("bob", PASSWORD, "laptop")
    await node.accounts.refresh(phone.refresh_token)
    node.clock.tick(6)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(phone.refresh_token)
    assert await is_open(node, laptop)
    await node.accounts.refresh(laptop.refresh_token)


async def test_refresh_of_one_session_spends_no_token_of_another(node: Node) -> None:
    phone = await signed_in(node)
    laptop = await node.accounts.sign_in("bob", PASSWORD, "laptop")
    for _ in range(3):
        phone = await node.accounts.refresh(phone.refresh_token)
        assert phone.device == "phone"
    node.clock.tick(6)
    assert (await node.accounts.refresh(laptop.refresh_token)).device == "laptop"
    await node.accounts.refresh(phone.refresh_token)
    assert not node.ended


async def test_signed_out_session_is_not_refreshed_and_its_end_is_reported_once(node: Node) -> None:
    """The present token is refused, its predecessor within 5 s, and an older spent token."""
    tokens = [await signed_in(node)]
    tokens.append(await node.accounts.refresh(tokens[-1].refresh_token))
    node.clock.tick(6)
    tokens.append(await node.accounts.refresh(tokens[-1].refresh_token))
    session, _ = node.tokens.read_refresh(tokens[0].refresh_token) or ("", 0)
    await node.accounts.sign_out(session)
    for asked in (node, node.another()):
        for token_pair in tokens:
            with pytest.raises(Unauthenticated):
                await asked.accounts.refresh(token_pair.refresh_token)
        assert asked.ended == ([("bob", session)] if asked is node else [])


async def test_concurrent_refreshes_on_two_nodes_get_one_new_token(node: Node) -> None:
    first, nodes = await signed_in(node), [node, node.another()]
    new_tokens: set[str] = set()

    async def refresh(asked: Node) -> None:
        new_tokens.add((await asked.accounts.refresh(first.refresh_token)).refresh_token)

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(refresh, nodes[number % 2])
    assert len(new_tokens) == 1
    await node.accounts.refresh(new_tokens.pop())


async def test_refresh_token_with_a_changed_character_changes_nothing(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    node.clock.tick(6)  # from here on the first token would revoke the session
    for token in (first.refresh_token, second.refresh_token):
        for place, char in enumerate(token):
            for other in {"A", "1", ".", chr(ord(char) ^ 1), ""} - {char}:
                with pytest.raises(Unauthenticated):
                    await node.accounts.refresh(token[:place] + other + token[place + 1 :])
    assert not node.ended
    await node.accounts.refresh(second.refresh_token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(token=st.one_of(st.text(), st.from_regex(r"\w+\.\d+\.[\w-]+"), st.from_regex(r".*\..*\..*")))
def test_refresh_of_any_string_raises_nothing_but_unauthenticated(token: str) -> None:
    async def refresh() -> None:
        with pytest.raises(Unauthenticated):
            await Node().accounts.refresh(token)

    anyio.run(refresh)


async def test_token_of_a_future_generation_changes_nothing(node: Node) -> None:
    """A restored backup makes such tokens possible, so they are refused but prove no theft."""
    tokens = await signed_in(node)
    read = node.tokens.read_refresh(tokens.refresh_token)
    assert read
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(node.tokens.issue_refresh(read[0], 7))
    assert not node.ended
    await node.accounts.refresh(tokens.refresh_token)


async def test_session_ends_after_30_days_without_a_refresh(node: Node) -> None:
    tokens = await signed_in(node)
    node.clock.tick(30 * DAY_S - 1)
    tokens = await node.accounts.refresh(tokens.refresh_token)
    node.clock.tick(30 * DAY_S)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.refresh_token)


async def test_idle_time_of_sessions_is_configurable() -> None:
    node = Node(session_idle=timedelta(minutes=2))
    tokens = await signed_in(node)
    node.clock.tick(119)
    assert await is_open(node, tokens)
    node.clock.tick(11)
    assert not await is_open(node, tokens)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.refresh_token)
