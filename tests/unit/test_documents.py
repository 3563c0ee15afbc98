"""The documents say what ``docs/protocol.md`` says: commands, fields, bounds, errors, pushes and routes."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import jsonschema_rs
import pytest

from chatcore.commands.table import COMMANDS
from chatcore.protocol.events import EVENTS
from chatcore.protocol.examples import EXAMPLES, PUSH_EXAMPLES
from chatcore.protocol.pushes import PUSHES
from chatcore_documents.openapi import openapi
from chatcore_http.account_operations import NEW_USER_MAX
from tests import contract_page as page
from tests.contract_documents import (
    asyncapi_document,
    endpoints,
    message,
    openapi_document,
    operations,
    payload,
    resolved,
    without_notes,
)

Json: TypeAlias = Any

CHANNELS = ("socketio", "websocket")
MAY_BE_MISSING = {
    ("room.get", "me"),  # to a user who is no member
    ("room", "me"),
    ("sync", "epoch"),  # of a room that is gone
    ("sync", "head"),
    ("auth.refresh", "expires_in"),  # where a host's authentication does not end
    ("ready", "expires_in"),
    ("auth.refresh", "token"),  # where a cookie authenticates
    ("entry", "body"),  # of a deleted message, and of its edits
}
"""Fields that the contract says in a sentence may be missing."""
PRESENT_STATE = {"edited_at", "reactions", "deleted", "cut", "opens"}
"""Fields that the contract describes beside the table of kinds of entries."""
OF_EVERY_ENTRY = {"room", "seq", "kind", "author", "at"}
NAMED_BY_SEVERAL_KINDS = {"reason", "role"}
"""Fields in the row of all changes of memberships, which not every kind of them has."""


def routed(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def check_shape(where: str, expected: page.Shape, schema: Json, document: Json) -> None:
    """Check that an object has exactly the expected fields, and that the same of them may be missing."""
    schema = resolved(document, schema)
    properties = schema["properties"]
    assert set(expected) == set(properties), where
    for name, field in expected.items():
        is_optional = name not in schema.get("required", ())
        assert is_optional == (field.is_optional or (where, name) in MAY_BE_MISSING), f"{where}: {name}"
        if field.inner:
            check_inner(where, field.inner, properties[name], document)


def check_inner(where: str, expected: page.Shape, schema: Json, document: Json) -> None:
    """Check an object in a field, in a list, or by names that users or rooms choose."""
    schema = resolved(document, schema)
    if schema["type"] == "array":
        check_inner(where, expected, schema["items"], document)
    elif "additionalProperties" in schema and "properties" not in schema:
        (named,) = expected.values()
        if named.inner:
            check_inner(where, named.inner, schema["additionalProperties"], document)
    else:
        check_shape(where, expected, schema, document)


def answer(command: str) -> Json:
    """Return the schema of a command's answer without what all answers have."""
    schema = dict(payload(f"{command}.answer"))
    schema["properties"] = {name: value for name, value in schema["properties"].items() if name != "ok"}
    schema["required"] = [name for name in schema["required"] if name != "ok"]
    return schema


def test_documents_have_exactly_the_served_commands() -> None:
    served = set(page.served_commands())
    assert served == set(COMMANDS)
    for channel in CHANNELS:
        received = {
            name.partition(".")[2]
            for name, operation in asyncapi_document()["operations"].items()
            if name.startswith(f"{channel}.") and operation["action"] == "receive"
        }
        assert received - {"connect"} == served
    over_http = {name for _, _, operation in operations() for name in operation.get("x-commands", ())}
    assert over_http == {name for name, command in page.served_commands().items() if command.routes}


def test_documents_have_exactly_the_served_routes() -> None:
    expected = {(route.method, route.path) for row in page.commands() if row.is_served for route in row.routes}
    found = {(method, routed(path)): operation for method, path, operation in operations()}
    assert set(found) == {(method, routed(path.replace("/{self}", "/{}"))) for method, path in expected}
    for row in page.commands():
        for route in row.routes if row.is_served else ():
            operation = found[route.method, route.path]
            statuses = {int(status) for status in operation["responses"] if status < "300"}
            assert statuses == set(row.statuses or [200]) or (204 in row.statuses and statuses <= {200, 204}), route
            if row.names:
                assert set(row.names) & set(operation["x-commands"]), route
            parameters = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
            assert set(row.query) <= set(parameters), route


def test_cookie_of_sessions_is_documented_where_there_are_accounts() -> None:
    document = openapi_document()
    assert document["components"]["securitySchemes"]["chatcore_refresh"]["in"] == "cookie"
    assert [
        (method, path) for method, path, op in operations() if {"chatcore_refresh": []} in op.get("security", ())
    ] == [("POST", "/sessions/refresh")]
    set_by = {
        (method, path, status)
        for method, path, operation in operations()
        for status, response in operation["responses"].items()
        if "Set-Cookie" in response.get("headers", {})
    }
    assert set_by == {
        ("POST", "/sessions", "201"),
        ("POST", "/sessions/refresh", "200"),
        ("POST", "/sessions/refresh", "401"),
        ("DELETE", "/sessions/current", "204"),
    }
    of_host = [endpoint for endpoint in endpoints() if not endpoint.path.startswith(("/accounts", "/sessions"))]
    assert "chatcore_refresh" not in json.dumps(openapi(of_host, {}))


def test_page_of_routes_has_exactly_the_served_addresses() -> None:
    served = {path for path, is_served in page.other_routes().items() if is_served}
    assert served == {path for path, item in openapi_document()["paths"].items() if "servers" in item}


@pytest.mark.parametrize("command", COMMANDS)
def test_fields_of_command_are_those_of_contract(command: str) -> None:
    check_shape(command, page.fields_of(command), payload(command), asyncapi_document())


@pytest.mark.parametrize("command", COMMANDS)
def test_answer_of_command_has_fields_of_contract(command: str) -> None:
    schema = answer(command)
    if command == "room.create":  # beside the Room it has `duplicate`, and its creator is a member
        assert "duplicate" in schema["required"]
        del schema["properties"]["duplicate"]
        schema["required"].remove("duplicate")
        check_shape("room.get", page.answer_of(command), schema, asyncapi_document())
        return
    check_shape(command, page.answer_of(command), schema, asyncapi_document())


@pytest.mark.parametrize("command", COMMANDS)
def test_refusals_of_command_are_those_of_contract(command: str) -> None:
    expected = page.refusals_of(command) | page.general_refusals()
    if "key" in page.fields_of(command):
        expected.add("key_reused")
    if COMMANDS[command].user_fields and COMMANDS[command].impossible_users == "refused":
        assert "no account\n  can have is unknown: `not_found`" in page.section("Users")
        expected.add("not_found")
    for channel in CHANNELS:
        schema = payload(f"{command}.error", channel)
        error = schema["properties"]["answer"] if channel == "websocket" else schema
        codes = error["properties"]["error"]["allOf"][1]["properties"]["code"]["enum"]
        assert set(codes) == expected
    for _, path, operation in operations():
        if operation.get("x-commands") == [command]:
            found = set(codes_by_status(operation))
            assert found - {"forbidden"} == expected - {"forbidden"}, path


def codes_by_status(operation: Json) -> Mapping[str, int]:
    return {
        code: int(status)
        for status, response in operation["responses"].items()
        if status >= "400" and status not in ("408", "421")
        for code in response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    }


def test_errors_have_codes_and_statuses_of_contract() -> None:
    error = resolved(asyncapi_document(), {"$ref": "#/components/schemas/Error"})
    problem = resolved(openapi_document(), {"$ref": "#/components/schemas/Problem"})
    assert error["properties"]["code"]["enum"] == problem["properties"]["code"]["enum"]
    assert set(error["properties"]["code"]["enum"]) == set(page.errors())
    statuses = {code: status for _, _, operation in operations() for code, status in codes_by_status(operation).items()}
    assert statuses == {code: status for code, (status, _) in page.errors().items()}


def test_error_objects_have_fields_of_contract() -> None:
    shapes = re.findall(r"`(\{(?:\"code\"|type:).*?\})`", page.section("Errors") + page.section("HTTP"), re.DOTALL)
    (over_http,) = (text for text in shapes if text.startswith("{type"))
    check_shape("problem", page.shape(over_http), {"$ref": "#/components/schemas/Problem"}, openapi_document())
    over_sockets = "{code, message, temporary, retry_after_ms?, field?}"
    assert over_sockets.replace("code", '"code"').replace("message", '"message"')[:10] in page.text()
    check_shape("error", page.shape(over_sockets), {"$ref": "#/components/schemas/Error"}, asyncapi_document())


def test_documents_have_exactly_the_pushes_of_contract() -> None:
    assert set(page.pushes()) == set(PUSHES)
    for channel in CHANNELS:
        sent = {
            name.removeprefix(f"{channel}.push.")
            for name, operation in asyncapi_document()["operations"].items()
            if operation["action"] == "send" and name.startswith(f"{channel}.")
        }
        assert sent - {"connect_error"} == set(PUSHES)


@pytest.mark.parametrize("push", PUSHES)
def test_push_has_fields_of_contract(push: str) -> None:
    what = page.pushes()[push]
    if "](#" in what and "[Room] (" not in what:
        component = {"entry": "Entry", "room": "Room"}[push]
        assert message(f"{push}.push")["payload"] == {"$ref": f"#/components/schemas/{component}"}
        return
    check_shape(push, page.shape(what), payload(f"{push}.push"), asyncapi_document())
    for name, values in re.findall(r'(\w+): ("\w+"(?: \\\| "\w+")*)', what):
        assert payload(f"{push}.push")["properties"][name]["enum"] == re.findall(r'"(\w+)"', values)


def test_room_and_entries_have_fields_of_contract() -> None:
    room = {"$ref": "#/components/schemas/Room"}
    check_shape("room", page.room_shape(), room, asyncapi_document())
    kinds = page.entry_kinds()
    schemas = {
        schema["properties"]["kind"]["const"]: schema
        for schema in (resolved(asyncapi_document(), kind) for kind in payload("entry.push")["oneOf"])
    }
    assert set(kinds) == set(schemas) == set(EVENTS)
    for kind, schema in schemas.items():
        carried = {name: field for name, field in kinds[kind].items() if name in schema["properties"]}
        assert set(kinds[kind]) - set(carried) <= NAMED_BY_SEVERAL_KINDS, kind
        assert set(schema["properties"]) - set(carried) - OF_EVERY_ENTRY <= PRESENT_STATE, kind
        assert set(schema["required"]) >= OF_EVERY_ENTRY
        for name, field in carried.items():
            is_optional = name not in schema["required"]
            assert not is_optional or field.is_optional or ("entry", name) in MAY_BE_MISSING, (kind, name)


def sent_fields() -> Iterator[tuple[str, str, Json]]:
    """Yield the place, name and schema of each field that clients send."""
    for command in COMMANDS:
        for name, schema in payload(command)["properties"].items():
            yield command, name, resolved(asyncapi_document(), schema)
    for method, path, operation in operations():
        where = f"{method} {path}"
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for name, schema in body.get("properties", {}).items():
            yield where, name, resolved(openapi_document(), schema)
        for parameter in operation.get("parameters", ()):
            yield where, parameter["name"], resolved(openapi_document(), parameter["schema"])


def bounds_in(rule: str) -> Json:
    """Return the bounds that a rule of the contract states, as keywords of JSON Schema."""
    plain = rule.replace(",", "")
    found: Json = {}
    if match := re.match(r"(\d+)-(\d+) characters", plain):
        found = {"minLength": int(match[1]), "maxLength": int(match[2])}
    elif match := re.match(r"(\d+)-(\d+) bytes", plain):
        found = {"minLength": int(match[1]), "x-bytes-max": int(match[2])}
    elif match := re.search(r"at most (\d+) bytes", plain):
        found = {"x-bytes-max": int(match[1])}
    elif match := re.search(r"at most (\d+) KiB", plain):
        found = {"x-bytes-max": int(match[1]) * 1024}
    elif match := re.match(r"at most (\d+) users", plain):
        found = {"maxItems": int(match[1])}
    elif match := re.match(r"integer from (\d+)", plain):
        found = {"minimum": int(match[1])}
    elif match := re.match(r"(\d+)-(\d+) default (\d+)", plain):
        found = {"minimum": int(match[1]), "maximum": int(match[2]), "default": int(match[3])}
    elif plain.startswith("one of"):
        found = {"enum": sorted(re.findall(r"`(\w+)`", rule))}
    elif plain == "boolean":
        found = {"type": "boolean"}
    return found


STATED_IN_WORDS = {"room", "epoch", "at", "after", "next", "…_ms", "expires_in"}
"""Fields whose rule is not a bound."""


def test_bounds_of_fields_are_those_of_contract() -> None:
    rules = {name: bounds_in(rule) for name, rule in page.bounds().items() if name != "prefix"}
    assert {name for name, found in rules.items() if not found} == STATED_IN_WORDS
    checked = set()
    for where, name, schema in sent_fields():
        expected = dict(rules.get(name, {}))
        if schema.get("type") == "array" and "maxItems" not in expected:
            continue  # `user` in a query may be repeated
        if (where, name) == ("POST /accounts", "user"):
            expected["maxLength"] = NEW_USER_MAX
            assert f"1-{NEW_USER_MAX} characters" in page.bounds()["user"]
        if " " in where and where.split()[0] in ("GET", "DELETE") and expected.get("minLength") == 0:
            expected["minLength"] = 1  # nothing in a query is empty
        actual = {keyword: schema.get(keyword) for keyword in expected}
        if "enum" in expected:
            actual["enum"] = sorted(schema.get("enum", ()))
        assert actual == expected, f"{where}: {name}"
        if expected:
            checked.add(name)
    assert checked == {name for name, found in rules.items() if found}


def test_bounds_of_lists_are_stated_in_section_of_command() -> None:
    for where, name, schema in sent_fields():
        bound = schema.get("maxItems") or schema.get("maxProperties")
        if bound and " " not in where and name not in page.bounds():
            stated = page.section(where).replace(",", "")
            assert re.search(rf"(?:at most|up to) {bound}\b", stated), f"{where}: {name}"


def test_every_field_that_clients_send_has_a_note() -> None:
    for command in COMMANDS:
        for name, schema in payload(command)["properties"].items():
            assert schema.get("description") or "$ref" in schema, f"{command}: {name}"
    assert [
        (path, name)
        for _, path, operation in operations()
        for name, schema in operation.get("requestBody", {})
        .get("content", {})
        .get("application/json", {})
        .get("schema", {})
        .get("properties", {})
        .items()
        if not schema.get("description") and "$ref" not in schema
    ] == []


def test_no_note_names_a_value_or_class_of_python() -> None:
    def notes(value: Json) -> Iterator[str]:
        match value:
            case Mapping():
                for name, inner in value.items():
                    if name in ("description", "summary") and isinstance(inner, str):
                        yield inner
                    else:
                        yield from notes(inner)
            case list():
                for inner in value:
                    yield from notes(inner)
            case _:
                pass

    for document in (asyncapi_document(), openapi_document()):
        assert [note for note in notes(document) if re.search(r"\bNone\b|\bTrue\b|`[A-Z]\w+`|``", note)] == []


def test_commands_are_the_same_on_both_channels() -> None:
    for command in COMMANDS:
        framed = payload(command, "websocket")["properties"]
        assert framed["event"]["const"] == command
        assert without_notes(framed["data"]) == without_notes(payload(command))
        answered = payload(f"{command}.answer", "websocket")["properties"]["answer"]
        assert without_notes(answered) == without_notes(payload(f"{command}.answer"))


def closed(schema: Json) -> Json:
    """Return a schema in which objects have no other fields than those that it names."""
    match schema:
        case Mapping():
            inner = {name: value if name == "allOf" else closed(value) for name, value in schema.items()}
            is_open = isinstance(schema.get("properties"), Mapping) and "additionalProperties" not in schema
            return {**inner, "additionalProperties": False} if is_open and "required" in schema else inner
        case list():
            return [closed(item) for item in schema]
        case _:
            return schema


def faults(document: Json, schema: Json, value: Json) -> list[str]:
    whole = {**closed(schema), "components": closed(document["components"])}
    return [str(fault) for fault in jsonschema_rs.Draft202012Validator(whole).iter_errors(value)]


def test_examples_fit_their_schemas_and_have_no_other_fields() -> None:
    document = asyncapi_document()
    for name, described in document["components"]["messages"].items():
        for example in described.get("examples", ()):
            assert faults(document, described["payload"], example["payload"]) == [], name
    document = openapi_document()
    for method, path, operation in operations():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (content for body in bodies for content in body.get("content", {}).values()):
            for example in content.get("examples", {}).values():
                assert faults(document, content["schema"], example["value"]) == [], f"{method} {path}"
        for parameter in operation.get("parameters", ()):
            for example in parameter.get("examples", {}).values():
                assert faults(document, parameter["schema"], example["value"]) == [], f"{method} {path}"


def test_every_command_push_and_route_has_an_example() -> None:
    assert {example.command for example in EXAMPLES} == set(COMMANDS)
    assert set(PUSH_EXAMPLES) == set(PUSHES)
    for method, path, operation in operations():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        has_fields = body.get("schema", {}).get("required")
        assert not has_fields or body.get("examples"), f"{method} {path}"
        for parameter in operation.get("parameters", ()):
            assert not parameter["required"] or parameter.get("examples"), f"{method} {path}"
