"""Schemathesis sends valid and invalid requests of every operation in the OpenAPI document to the bundled server."""

import os
from collections.abc import Generator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import pytest
import requests
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance

from chatcore.domain.serialization import INTEGER_MAX
from chatcore.protocol.examples import PRIVATE, TEA, TEA_KEY
from tests.contract_documents import openapi_document
from tests.integration.serving import serving

EXAMPLES = int(os.environ.get("CHATCORE_TEST_CONTRACT_REQUESTS", "5"))
"""Valid requests to each operation, and as many invalid ones."""
PHASES = (Phase.explicit, Phase.generate)
"""A failure is shown as it was found: to make it smaller takes too many requests."""
UNCHECKED = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
PASSWORD = "correct horse battery"
USERS = ("alice", "bob", "carol")
TIMEOUT_S = 30
STATEFUL = {"after", "delivered", "read", "refresh_token", "reply_to", "unread_from", "user"}
"""Fields that may be invalid for another reason than their form: page tokens, positions above head, the caller, and a
refresh token that only a page may leave out."""
INVALID_TOGETHER = {
    ("PATCH /rooms/{room}/messages/{seq}", "body"),
    ("DELETE /rooms/{room}/members/{user}", "reason"),
}
"""Fields that may be invalid beside others: only a message with `data` may have an empty body, and who leaves a room
gives no reason."""
SIGN_OUT = "DELETE /sessions/current"
NEVER_INVALID = {SIGN_OUT, "DELETE /sockets/{id}", "GET /blocks", "GET /sockets", "GET /unread"}
"""Operations without fields, or whose fields may have any value."""
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "429"]
"""Statuses that refuse an invalid request. One whose text is too long may have a body that is too large."""

_line = st.characters(exclude_categories=["Cc", "Cs"])
_users = st.sampled_from(USERS) | st.text(_line, min_size=1, max_size=128).filter(lambda user: user not in (".", ".."))
_rooms = st.sampled_from([PRIVATE, TEA]) | st.from_regex(r"room-[a-z2-7]{26}", fullmatch=True)
_new_users = st.sampled_from(USERS) | st.from_regex(r"[a-z][a-z0-9._]{0,31}", fullmatch=True)
_emoji = st.sampled_from(["👍", "🍰"]) | st.text(_line, min_size=1, max_size=16)
for _name, _strategy in {"user-id": _users, "room-id": _rooms, "user-name": _new_users, "emoji": _emoji}.items():
    schemathesis.openapi.format(_name, _strategy)


def operations(mode: GenerationMode) -> Sequence[Any]:
    """Return the operations of the API, without the pages beside it.

    The test sends a right token. So no invalid request may be one whose token alone is wrong.
    """
    document: Any = dict(openapi_document())
    document["paths"] = {path: item for path, item in document["paths"].items() if "servers" not in item}
    if mode is GenerationMode.NEGATIVE:
        del document["security"]
    schema: Any = schemathesis.openapi.from_dict(document)
    schema.config.checks.negative_data_rejection.expected_statuses = REFUSALS
    return [result.ok() for result in schema.get_all_operations()]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("server")
    running = serving(folder, "--store", "memory", environment={"CHATCORE_LIMITS": "off"})
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running) as server:
        yield f"{server.url}/api/v1"
        assert [event for event in server.events if event["level"] in ("error", "critical")] == []


@pytest.fixture(scope="module")
def http() -> Generator[requests.Session]:
    with requests.Session() as session:
        yield session


def sign_in(http: requests.Session, url: str, user: str) -> Mapping[str, str]:
    body = {"user": user, "password": PASSWORD}
    answer = http.post(f"{url}/sessions", json=body, timeout=TIMEOUT_S)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def alice(http: requests.Session, url: str) -> Mapping[str, str]:
    """The headers of a user with a private room and a group."""
    for user in USERS:
        http.post(f"{url}/accounts", json={"user": user, "password": PASSWORD}, timeout=TIMEOUT_S).raise_for_status()
    headers = sign_in(http, url, "alice")
    room: Any = {"kind": "group", "title": "Tea", "members": ["bob"], "key": TEA_KEY}
    for path, body in (("/users/bob/messages", {"body": "Lunch?", "key": "1"}), ("/rooms", room)):
        http.post(f"{url}{path}", json=body, headers=headers, timeout=TIMEOUT_S).raise_for_status()
    return headers


def is_like_a_clients(value: object) -> bool:
    """Return whether JSON libraries of clients write a value as the contract needs it.

    For JSON Schema ``7.0`` is an integer, which the server refuses; and it does not bound the numbers in ``data``.
    """
    match value:
        case float():
            return not value.is_integer()
        case int():
            return abs(value) <= INTEGER_MAX
        case Mapping():
            return all(map(is_like_a_clients, value.values()))
        case list():
            return all(map(is_like_a_clients, value))
        case _:
            return True


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        pytest.param(operation, mode, id=f"{operation.label}-{mode.value}")
        for mode in GenerationMode
        for operation in operations(mode)
        if mode is GenerationMode.POSITIVE or operation.label not in NEVER_INVALID
    ],
)
def test_requests_are_answered_as_document_says(
    operation: Any, mode: GenerationMode, url: str, http: requests.Session, alice: Mapping[str, str]
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=PHASES, suppress_health_check=UNCHECKED)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        headers = sign_in(http, url, "carol") if operation.label == SIGN_OUT else alice
        assume(is_like_a_clients(case.body) and is_like_a_clients(case.query))
        response = case.call_and_validate(
            base_url=url, session=http, headers=dict(headers), excluded_checks=[positive_data_acceptance]
        )
        if mode is GenerationMode.POSITIVE and response.status_code == HTTPStatus.BAD_REQUEST:
            field = response.json()["field"]
            assert field in STATEFUL or (operation.label, field) in INVALID_TOGETHER, response.text

    send()
