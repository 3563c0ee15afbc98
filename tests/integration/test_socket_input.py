"""Invalid fields over sockets: rules for every command, and the commands without a route."""

from collections.abc import AsyncGenerator, Mapping

import attrs
import pytest
from attrs import frozen

from chatcore.commands.fields import QUERY_NAME, wire_name
from chatcore.commands.table import COMMANDS
from tests.integration.http_hosts import EVERYWHERE
from tests.integration.http_node import HttpNode
from tests.integration.http_samples import SAMPLES, SOCKET_ONLY, WRONG, Json, Sample
from tests.integration.http_world import http_world, stored_content
from tests.integration.socket_clients import WIRES, SocketClient, Wire, socket_clients

pytestmark = [pytest.mark.anyio, *EVERYWHERE]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@frozen
class Scene:
    node: HttpNode
    socket: SocketClient


@pytest.fixture(scope="module", params=WIRES)
async def scene(request: pytest.FixtureRequest, anyio_backend: str, http_host: str) -> AsyncGenerator[Scene]:
    wire: Wire = request.param
    async with http_world() as node, socket_clients(wire, node.url) as clients:
        yield Scene(node, await clients.connect(node.tokens["alice"]))


@pytest.fixture
async def unchanged(scene: Scene) -> AsyncGenerator[None]:
    """Assert at the end of the test that the stored content is unchanged."""
    before = await stored_content(scene.node)
    yield
    assert await stored_content(scene.node) == before


def fields_of(sample: Sample) -> Mapping[str, Json]:
    """Return all fields of the sample in one object."""
    in_path = {name: int(value) if name == "seq" else value for name, value in sample.in_path.items() if name != "self"}
    in_query = {
        attribute.metadata[QUERY_NAME]: wire_name(attribute)
        for attribute in attrs.fields(sample.kind)
        if QUERY_NAME in attribute.metadata
    }
    fields = {in_query.get(name, name): [value] if name in in_query else value for name, value in sample.fields.items()}
    return {**in_path, **sample.fixed, **fields}


REQUESTS = [*((sample.command, fields_of(sample)) for sample in SAMPLES), *SOCKET_ONLY.items()]
REQUIRED = [
    (command, fields, name)
    for command, fields in REQUESTS
    for attribute in attrs.fields(COMMANDS[command])
    if (name := wire_name(attribute)) and attribute.default is attrs.NOTHING
]


async def refusal(scene: Scene, command: str, fields: object) -> tuple[str, str | None]:
    answer = await scene.socket.call(command, fields)
    assert answer["ok"] is False
    return answer["error"]["code"], answer["error"].get("field")


@pytest.mark.parametrize(("command", "fields", "name"), REQUIRED)
@pytest.mark.usefixtures("unchanged")
async def test_missing_field_is_invalid_and_named(
    command: str, fields: Mapping[str, Json], name: str, scene: Scene
) -> None:
    left = {given: value for given, value in fields.items() if given != name}
    assert await refusal(scene, command, left) == ("invalid", name)


@pytest.mark.parametrize("name", ["nonsense", "Key", "key ", "with_", "__class__", "ok", "self", "field[]"])
@pytest.mark.parametrize(("command", "fields"), REQUESTS)
@pytest.mark.usefixtures("unchanged")
async def test_unknown_field_is_invalid_and_named(
    command: str, fields: Mapping[str, Json], name: str, scene: Scene
) -> None:
    assert await refusal(scene, command, {**fields, name: 1}) == ("invalid", name)


@pytest.mark.parametrize(("command", "fields"), REQUESTS)
@pytest.mark.usefixtures("unchanged")
async def test_null_is_invalid_for_every_field(command: str, fields: Mapping[str, Json], scene: Scene) -> None:
    for attribute in attrs.fields(COMMANDS[command]):
        name = wire_name(attribute)
        if name in ("room", "to", "with") and name not in fields:
            continue  # the alternative field is given
        assert await refusal(scene, command, {**fields, name: None}) == ("invalid", name)


LISTS = ("members", "mentions")
NAMING = [
    (command, fields, name)
    for command, fields in REQUESTS
    for attribute in COMMANDS[command].user_fields
    if COMMANDS[command].impossible_users == "refused"
    if (name := wire_name(getattr(attrs.fields(COMMANDS[command]), attribute))) in {*fields, *LISTS}
]


@pytest.mark.parametrize(("command", "fields", "name"), NAMING)
@pytest.mark.usefixtures("unchanged")
async def test_impossible_name_is_not_found_and_malformed_user_id_invalid(
    command: str, fields: Mapping[str, Json], name: str, scene: Scene
) -> None:
    for invalid in ("a b", "\uff0e", "x" * 33):
        naming = {**fields, name: [invalid] if name in LISTS else invalid}
        assert await refusal(scene, command, naming) == ("not_found", None)
    for nothing in ("", ".", "a\n", "x" * 129, 5):
        naming = {**fields, name: [nothing] if name in LISTS else nothing}
        assert await refusal(scene, command, naming) == ("invalid", name)


WRONG_VALUES = [
    (command, name, value)
    for command in SOCKET_ONLY
    for name, values in WRONG[command].items()
    for value in values
]  # fmt: skip


@pytest.mark.parametrize(("command", "name", "value"), WRONG_VALUES)
@pytest.mark.usefixtures("unchanged")
async def test_wrong_value_of_command_without_route_is_invalid_with_field(
    command: str, name: str, value: Json, scene: Scene
) -> None:
    assert await refusal(scene, command, {**SOCKET_ONLY[command], name: value}) == ("invalid", name)


@pytest.mark.parametrize("value", WRONG["message.react"]["on"][:-2])
@pytest.mark.usefixtures("unchanged")
async def test_reaction_on_accepts_only_booleans(value: Json, scene: Scene) -> None:
    fields = next(fields for command, fields in REQUESTS if command == "message.react")
    assert await refusal(scene, "message.react", {**fields, "on": value}) == ("invalid", "on")
