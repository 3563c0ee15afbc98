"""Input that deviates from the contract is refused with its code and field, and changes nothing."""

from collections.abc import AsyncGenerator

import attrs
import pytest

from chatcore.commands.fields import wire_name
from chatcore.commands.table import COMMANDS
from chatcore_http.bodies import BODY_MAX
from tests.integration.http_hosts import EVERYWHERE, answers_itself
from tests.integration.http_node import HttpNode
from tests.integration.http_samples import SAMPLES, SOCKET_ONLY, WRONG, Request, Sample, path_of, query_of, wrong_fields
from tests.integration.http_world import http_world, stored_content

pytestmark = [pytest.mark.anyio, *EVERYWHERE]

JSON = {"Content-Type": "application/json"}
BODIED = [sample for sample in SAMPLES if not sample.in_query]
BODILESS = [sample for sample in SAMPLES if sample.in_query]


def title(sample: object) -> str:
    return f"{sample.method} {sample.path}" if isinstance(sample, Sample) else str(sample)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def node(anyio_backend: str, http_host: str) -> AsyncGenerator[HttpNode]:
    async with http_world() as node:
        yield node


@pytest.fixture
async def unchanged(node: HttpNode) -> AsyncGenerator[None]:
    """Assert at the end of the test that the stored content is unchanged."""
    before = await stored_content(node)
    yield
    assert await stored_content(node) == before


def test_every_route_of_every_command_has_sample() -> None:
    routes = {(name, route.method, route.path) for name, command in COMMANDS.items() for route in command.routes}
    assert {(sample.command, sample.method, sample.path) for sample in SAMPLES} == routes
    assert {sample.command for sample in SAMPLES} | set(SOCKET_ONLY) == set(COMMANDS)
    assert len(SAMPLES) == len(routes)


def test_every_field_of_every_command_has_wrong_values() -> None:
    fields = {name: {wire_name(attribute) for attribute in attrs.fields(command)} for name, command in COMMANDS.items()}
    assert {name: set(values) for name, values in WRONG.items()} == fields


@pytest.mark.parametrize("sample", SAMPLES, ids=title)
async def test_every_sample_succeeds(sample: Sample) -> None:
    async with http_world() as node:
        query = query_of(sample.fields) if sample.in_query else ""
        body = None if sample.in_query else dict(sample.fields)
        answer = await node.ask(sample.method, path_of(sample) + query, body, user="alice")
        assert (answer.status, answer.headers["Content-Type"]) == (sample.status, "application/json"), answer


WRONG_VALUES = [request for sample in SAMPLES for request in wrong_fields(sample)]


@pytest.mark.parametrize("request_", WRONG_VALUES, ids=lambda request_: request_.name)
@pytest.mark.usefixtures("unchanged")
async def test_wrong_value_is_invalid_and_field_is_named(request_: Request, node: HttpNode, http_host: str) -> None:
    answer = await node.ask(request_.method, request_.path, request_.body, user="alice")
    if answers_itself(http_host, request_.path):
        assert answer.status == 404
    else:
        assert answer.refusal == (400, "invalid", request_.refused)


REQUIRED = [
    (sample, wire_name(attribute))
    for sample in SAMPLES
    for attribute in attrs.fields(sample.kind)
    if attribute.default is attrs.NOTHING and wire_name(attribute) not in {**sample.in_path, **sample.fixed}
]


@pytest.mark.parametrize(("sample", "name"), REQUIRED, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_missing_field_is_invalid_and_named(sample: Sample, name: str, node: HttpNode) -> None:
    body = {given: value for given, value in sample.fields.items() if given != name}
    answer = await node.ask(sample.method, path_of(sample), None if sample.in_query else body, user="alice")
    assert answer.refusal == (400, "invalid", name)


@pytest.mark.parametrize("name", ["nonsense", "Key", "key ", "with_", "__class__", "ok", "self", "field[]"])
@pytest.mark.parametrize("sample", SAMPLES, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_unknown_field_is_invalid_and_named(sample: Sample, name: str, node: HttpNode) -> None:
    if sample.in_query:
        answer = await node.ask(sample.method, path_of(sample) + query_of({**sample.fields, name: 1}), user="alice")
    else:
        answer = await node.ask(sample.method, path_of(sample), {**sample.fields, name: 1}, user="alice")
    assert answer.refusal == (400, "invalid", name)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.in_path], ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_field_of_path_is_invalid_in_body_and_query(sample: Sample, node: HttpNode) -> None:
    for name, value in sample.in_path.items():
        again = {**sample.fields, name: value}
        if sample.in_query:
            answer = await node.ask(sample.method, path_of(sample) + query_of(again), user="alice")
        else:
            answer = await node.ask(sample.method, path_of(sample), again, user="alice")
        assert answer.refusal == (400, "invalid", name)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.fixed], ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_field_implied_by_method_is_invalid_in_body_and_query(sample: Sample, node: HttpNode) -> None:
    for name, meant in sample.fixed.items():
        for value in (meant, not meant):
            query = query_of({name: str(value).lower()}) if sample.in_query else ""
            body = None if sample.in_query else {**sample.fields, name: value}
            answer = await node.ask(sample.method, path_of(sample) + query, body, user="alice")
            assert answer.refusal == (400, "invalid", name)


@pytest.mark.parametrize("sample", BODIED, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_query_beside_body_is_invalid(sample: Sample, node: HttpNode) -> None:
    for name in ("key", "nonsense"):
        answer = await node.ask(sample.method, f"{path_of(sample)}?{name}=x", dict(sample.fields), user="alice")
        assert answer.refusal == (400, "invalid", name)


@pytest.mark.parametrize("sample", BODILESS, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_empty_or_repeated_parameter_is_invalid(sample: Sample, node: HttpNode) -> None:
    for query, name in [("after=", "after"), ("after", "after"), ("limit=1&limit=1", "limit"), ("x=1&%78=1", "x")]:
        answer = await node.ask(sample.method, f"{path_of(sample)}?{query}", user="alice")
        assert answer.refusal == (400, "invalid", name), query


BODIES = {
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"5",
    "null": b"null",
    "white space": b" ",
    "no JSON": b"{body: 1}",
    "not UTF-8": b'{"body": "\xff"}',
    "a member name twice": b'{"key": "a", "key": "a"}',
    "NaN": b'{"x": NaN}',
    "an integer beyond 2^53": b'{"x": 9007199254740993}',
    "a lone surrogate": b'{"x": "\\ud800"}',
    "33 levels": b'{"x": ' + b"[" * 32 + b"]" * 32 + b"}",
    "30,000 levels": b"[" * 30_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("sample", BODIED, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_body_that_is_not_one_plain_object_is_invalid(sample: Sample, body: bytes, node: HttpNode) -> None:
    answer = await node.ask(sample.method, path_of(sample), data=body, headers=JSON, user="alice")
    assert answer.refusal == (400, "invalid", None)


@pytest.mark.parametrize("sample", BODIED, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_body_above_64_kib_is_too_large(sample: Sample, node: HttpNode) -> None:
    body = b'{"body": "' + b"x" * (BODY_MAX + 1 - 12) + b'"}'
    answer = await node.ask(sample.method, path_of(sample), data=body, headers=JSON, user="alice")
    assert answer.refusal == (413, "too_large", None)
    assert answer.json["title"] == "Content Too Large"


@pytest.mark.parametrize("sample", BODILESS, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_body_of_route_without_body_is_invalid(sample: Sample, node: HttpNode) -> None:
    answer = await node.ask(sample.method, path_of(sample), {}, user="alice")
    assert answer.refusal == (400, "invalid", None)


NOBODY = {
    "no token": {},
    "an empty one": {"Authorization": "Bearer "},
    "nonsense": {"Authorization": "Bearer nonsense"},
    "another scheme": {"Authorization": "Basic YWxpY2U6eA=="},
    "no scheme": {"Authorization": "alice"},
}


@pytest.mark.parametrize("headers", NOBODY.values(), ids=NOBODY.keys())
@pytest.mark.parametrize("sample", SAMPLES, ids=title)
@pytest.mark.usefixtures("unchanged")
async def test_request_without_valid_token_is_unauthenticated_and_changes_nothing(
    sample: Sample, headers: dict[str, str], node: HttpNode
) -> None:
    body = None if sample.in_query else dict(sample.fields)
    answer = await node.ask(sample.method, path_of(sample), body, headers=headers)
    assert answer.refusal == (401, "unauthenticated", None)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
