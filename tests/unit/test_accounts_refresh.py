"""Refresh tokens: rotation, the repeat within 5 s, and reuse after it."""

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


async def test_a_refresh_gives_new_tokens_of_the_same_session(node: Node) -> None:
    first = await signed_in(node)
    node.clock.tick(600)
    second = await node.accounts.refresh(first.refresh_token)
    assert (second.user, second.device, second.expires_in) == ("bob", "phone", 900)
    assert second.refresh_token != first.refresh_token
    node.clock.tick(600)
    assert not await is_open(node, first)  # its access token has expired
    assert await is_open(node, second)


async def test_each_refresh_token_of_a_long_session_is_another(node: Node) -> None:
    tokens = await signed_in(node)
    seen = {tokens.refresh_token}
    for _ in range(50):
        node.clock.tick(600)
        tokens = await node.accounts.refresh(tokens.refresh_token)
        seen.add(tokens.refresh_token)
    assert len(seen) == 51
    assert not node.ended


async def test_within_5_s_a_spent_token_gives_the_same_new_one_again_on_any_node(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    for wait, asked in [(0, node), (2.5, node.another()), (2.5, node)]:
        node.clock.tick(wait)
        assert (await asked.accounts.refresh(first.refresh_token)).refresh_token == second.refresh_token
    await node.accounts.refresh(second.refresh_token)


async def test_after_5_s_a_spent_token_revokes_its_session(node: Node) -> None:
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


async def test_the_5_s_count_from_the_first_use_not_from_the_last(node: Node) -> None:
    first = await signed_in(node)
    await node.accounts.refresh(first.refresh_token)
    node.clock.tick(4)
    await node.accounts.refresh(first.refresh_token)
    node.clock.tick(4)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(first.refresh_token)
    assert node.ended


async def test_a_spent_token_gives_its_own_successor_even_when_that_one_is_spent(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    third = await node.accounts.refresh(second.refresh_token)
    assert (await node.accounts.refresh(first.refresh_token)).refresh_token == second.refresh_token
    assert (await node.accounts.refresh(second.refresh_token)).refresh_token == third.refresh_token
    await node.accounts.refresh(third.refresh_token)
    assert not node.ended


async def test_reuse_of_a_token_from_long_ago_revokes_the_session(node: Node) -> None:
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


async def test_tokens_of_a_signed_out_session_are_not_refreshed_and_its_end_is_told_once(node: Node) -> None:
    """Neither the present token, nor the one that would give it again within 5 s, nor one whose reuse would revoke."""
    tokens = [await signed_in(node)]
    tokens.append(await node.accounts.refresh(tokens[-1].refresh_token))
    node.clock.tick(6)
    tokens.append(await node.accounts.refresh(tokens[-1].refresh_token))
    session, _ = node.tokens.read_refresh(tokens[0].refresh_token) or ("", 0)
    await node.accounts.sign_out(session)
    for asked in (node, node.another()):
        for each in tokens:
            with pytest.raises(Unauthenticated):
                await asked.accounts.refresh(each.refresh_token)
        assert asked.ended == ([("bob", session)] if asked is node else [])


async def test_many_refreshes_at_once_on_two_nodes_get_one_new_token(node: Node) -> None:
    first, nodes = await signed_in(node), [node, node.another()]
    given: set[str] = set()

    async def refresh(asked: Node) -> None:
        given.add((await asked.accounts.refresh(first.refresh_token)).refresh_token)

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(refresh, nodes[number % 2])
    assert len(given) == 1
    await node.accounts.refresh(given.pop())


async def test_a_token_with_any_character_changed_is_refused_and_changes_nothing(node: Node) -> None:
    first = await signed_in(node)
    second = await node.accounts.refresh(first.refresh_token)
    node.clock.tick(6)  # from here on the first one would revoke
    for token in (first.refresh_token, second.refresh_token):
        for place, char in enumerate(token):
            for other in {"A", "1", ".", chr(ord(char) ^ 1), ""} - {char}:
                with pytest.raises(Unauthenticated):
                    await node.accounts.refresh(token[:place] + other + token[place + 1 :])
    assert not node.ended
    await node.accounts.refresh(second.refresh_token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(token=st.one_of(st.text(), st.from_regex(r"\w+\.\d+\.[\w-]+"), st.from_regex(r".*\..*\..*")))
def test_no_string_is_more_than_refused(token: str) -> None:
    async def refresh() -> None:
        with pytest.raises(Unauthenticated):
            await Node().accounts.refresh(token)

    anyio.run(refresh)


async def test_a_token_of_a_generation_that_is_yet_to_come_changes_nothing(node: Node) -> None:
    """The store was restored from a backup: whoever shows it is refused, but is no proof of theft."""
    tokens = await signed_in(node)
    read = node.tokens.read_refresh(tokens.refresh_token)
    assert read
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(node.tokens.issue_refresh(read[0], 7))
    assert not node.ended
    await node.accounts.refresh(tokens.refresh_token)


async def test_a_session_ends_after_30_days_without_a_refresh(node: Node) -> None:
    tokens = await signed_in(node)
    node.clock.tick(30 * DAY_S - 1)
    tokens = await node.accounts.refresh(tokens.refresh_token)
    node.clock.tick(30 * DAY_S)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.refresh_token)


async def test_how_long_a_session_may_be_idle_can_be_set() -> None:
    node = Node(session_idle=timedelta(minutes=2))
    tokens = await signed_in(node)
    node.clock.tick(119)
    assert await is_open(node, tokens)
    node.clock.tick(11)
    assert not await is_open(node, tokens)
    with pytest.raises(Unauthenticated):
        await node.accounts.refresh(tokens.refresh_token)
