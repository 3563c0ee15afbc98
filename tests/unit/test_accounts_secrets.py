"""No log line, no repr and no error shows a password or a token."""

import logging
import traceback
from collections.abc import Awaitable

import pytest

from chatcore.accounts import Tokens
from chatcore.errors import ChatError
from chatcore.ports.authenticator import Credentials

from .accounts_node import SECRET, Node

pytestmark = pytest.mark.anyio

PASSWORD = "planted-password"


async def test_planted_secrets_are_in_no_log_line_repr_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    node = Node()
    shown: list[str] = []

    async def refused(call: Awaitable[object]) -> None:
        with pytest.raises(ChatError) as refusal:
            await call
        shown.extend([repr(refusal.value), str(refusal.value), *traceback.format_exception(refusal.value)])

    await node.accounts.sign_up("bob", PASSWORD)
    first = await node.accounts.sign_in("bob", PASSWORD)
    second = await node.accounts.refresh(first.refresh_token)
    shown += [
        repr(value) for value in (first, second, node.accounts, node.tokens, Credentials(token=first.access_token))
    ]
    await refused(node.accounts.sign_up("bob", PASSWORD))
    await refused(node.accounts.sign_up("eve", PASSWORD * 100))
    await refused(node.accounts.sign_up("eve", f"{PASSWORD}\ud800"))
    await refused(node.accounts.sign_in("bob", f"{PASSWORD} "))
    await refused(node.accounts.sign_in("unknown", PASSWORD))
    await refused(node.accounts.refresh(f"{second.refresh_token}x"))
    await refused(node.accounts.refresh(second.access_token))
    assert await node.accounts.authenticate(Credentials(token=f"{second.access_token}x")) is None
    node.clock.tick(6)
    await refused(node.accounts.refresh(first.refresh_token))
    await refused(node.accounts.refresh(second.refresh_token))

    lines = [record.getMessage() for record in caplog.records]
    assert any("refresh token" in line for line in lines)  # the log has the reuse, so logging was on
    for secret in (PASSWORD, SECRET.decode(), *parts(first), *parts(second)):
        assert not [text for text in shown + lines + [caplog.text] if secret in text]


def parts(tokens: Tokens) -> list[str]:
    """The secret parts of both tokens: the signatures, and the claims of the access token."""
    return [*tokens.access_token.split(".")[1:], tokens.refresh_token.rpartition(".")[2]]
