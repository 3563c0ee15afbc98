"""The OpenAPI document (version 3.1): the HTTP API of a server."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

from chatcore.protocol import Object
from chatcore.protocol.examples import step_name
from chatcore.protocol.schemas import ERROR_OPTIONAL, Schemas, object_schema
from chatcore_http.endpoints import PREFIX, Endpoint
from chatcore_http.operations import HttpExample, Operation, Parameter
from chatcore_http.problems import STATUSES

DESCRIPTION = (
    "A chat server. Every command over HTTP is also an event over sockets: see `asyncapi.json`. "
    "Errors are problem details (RFC 9457) with a stable `code`. Where `x-bytes-max` is given, it bounds the bytes in "
    "UTF-8 of a text, or of an object as compact JSON. The examples are one story: their names are its steps."
)
ORIGIN = "the request comes from a web page of another origin"
NOT_OF_COMMANDS: Mapping[int, str] = {
    408: "`invalid`: the body did not arrive within 10 s",
    421: "`invalid`: the server does not answer to this host",
}
"""Errors by a status of their own."""

_JSON = "application/json"
_PROBLEM = "application/problem+json"


def openapi(endpoints: Iterable[Endpoint], pages: Mapping[str, str]) -> Object:
    """Return the document.

    Args:
        endpoints: the endpoints below the API's prefix.
        pages: what is beside the prefix, by path.
    """
    schemas = Schemas()
    operations = described(endpoints, schemas)
    problem = schemas.component("Problem", lambda: _problem(schemas))
    paths: Object = {
        path: {method.lower(): _operation(operation, problem) for method, operation in served}
        for path, served in operations.items()
    }
    for path, summary in pages.items():
        paths[path] = {
            "servers": [{"url": "."}],
            "get": {
                "operationId": f"page.{path.strip('/') or 'start'}",
                "tags": ["pages"],
                "summary": summary,
                "security": [],
                "responses": {"200": {"description": summary}},
            },
        }
    cookies = [operation.cookie for served in operations.values() for _, operation in served if operation.cookie]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chatcore",
            "version": version("chatcore"),
            "summary": "Chat over HTTP, version 1 of the contract",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX.strip("/"), "description": "beside this document"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in _tags(operations)] + [{"name": "pages"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer <access token>`. A host may also authenticate by cookies.",
                },
                **{name: {"type": "apiKey", "in": "cookie", "name": name} for name in cookies},
            },
        },
    }


def described(endpoints: Iterable[Endpoint], schemas: Schemas) -> Mapping[str, Sequence[tuple[str, Operation]]]:
    """Return the methods and operations of endpoints by path, whose fields have one name for one place."""
    operations: dict[str, list[tuple[str, Operation]]] = {}
    for endpoint in endpoints:
        if endpoint.describe is not None:
            operation = endpoint.describe(schemas)
            operations.setdefault(operation.path, []).append((endpoint.method, operation))
    return operations


def _tags(operations: Mapping[str, Iterable[tuple[str, Operation]]]) -> Iterable[str]:
    return dict.fromkeys(operation.family for served in operations.values() for _, operation in served)


def _operation(operation: Operation, problem: Object) -> Object:
    written: Object = {"operationId": operation.id, "tags": [operation.family], "summary": operation.title}
    if operation.description.rstrip(".") != operation.title:
        written["description"] = operation.description
    if operation.commands:
        written["x-commands"] = list(operation.commands)
    if operation.parameters:
        written["parameters"] = [_parameter(parameter, operation.examples) for parameter in operation.parameters]
    if operation.body is not None:
        content = {"schema": operation.body, **_examples((e.body for e in operation.examples), operation)}
        written["requestBody"] = {"required": bool(operation.body.get("required")), "content": {_JSON: content}}
    if not operation.needs_token:
        written["security"] = [{}, {operation.cookie: []}] if operation.cookie else []
    written["responses"] = {**_answers(operation), **_errors(operation, problem)}
    for status, what in operation.cookies.items():
        headers = {"Set-Cookie": {"description": what, "schema": {"type": "string"}}}
        response = written["responses"][str(status)]
        response["headers"] = {**response.get("headers", {}), **headers}
    return written


def _parameter(parameter: Parameter, examples: Sequence[HttpExample]) -> Object:
    schema = {name: value for name, value in parameter.schema.items() if name != "description"}
    values = {
        step_name(example.step): {"value": example.values[parameter.name]}
        for example in examples
        if parameter.name in example.values
    }
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.is_required,
        **({"description": parameter.schema["description"]} if "description" in parameter.schema else {}),
        "schema": schema,
        **({"examples": values} if values else {}),
    }


def _examples(values: Iterable[Object | None], operation: Operation) -> Object:
    named = {
        step_name(example.step): {"summary": _summary(example), "value": value}
        for example, value in zip(operation.examples, values, strict=True)
        if value is not None
    }
    return {"examples": named} if named else {}


def _summary(example: HttpExample) -> str:
    return f"{example.user or 'without a token'}: {example.method} {example.path}"


def _answers(operation: Operation) -> Object:
    answers: Object = {}
    for status, schema in operation.responses.items():
        answers[str(status)] = {"description": _MEANINGS[status]}
        if schema is not None:
            shown = (example.answer if example.status == status else None for example in operation.examples)
            answers[str(status)]["content"] = {_JSON: {"schema": schema, **_examples(shown, operation)}}
    return answers


_MEANINGS: Mapping[int, str] = {
    200: "the answer; of a command with a key that was carried out before, the first answer",
    201: "what was made",
    204: "done",
}


def _errors(operation: Operation, problem: Object) -> Object:
    refusals = dict(operation.refusals)
    refusals["forbidden"] = "; ".join(filter(None, (refusals.get("forbidden"), ORIGIN)))
    by_status: dict[int, dict[str, str]] = {}
    for code, when in refusals.items():
        by_status.setdefault(STATUSES[code].value, {})[code] = when
    errors: Object = {
        str(status): _error([*codes], "\n\n".join(f"`{code}`: {when}" for code, when in codes.items()), status, problem)
        for status, codes in sorted(by_status.items())
    }
    for status, example in ((example.status, example) for example in operation.examples):
        if str(status) in errors:
            content = errors[str(status)]["content"][_PROBLEM]
            shown = content.setdefault("examples", {})
            shown[step_name(example.step)] = {"summary": _summary(example), "value": example.answer}
    for status, when in NOT_OF_COMMANDS.items():
        if status != 408 or operation.body is not None:
            errors[str(status)] = _error(["invalid"], when, status, problem)
    return dict(sorted(errors.items()))


def _error(codes: Sequence[str], description: str, status: int, problem: Object) -> Object:
    own = {"properties": {"code": {"enum": list(codes)}, "status": {"const": status}}}
    error: Object = {"description": description, "content": {_PROBLEM: {"schema": {"allOf": [problem, own]}}}}
    if headers := _HEADERS.get(status):
        error["headers"] = headers
    return error


_HEADERS: Mapping[int, Object] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}}},
    429: {
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        }
    },
}


def _problem(schemas: Schemas) -> Object:
    error = schemas.error_properties()
    properties = {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The reason phrase of the status."},
        "status": {"type": "integer", "description": "The status of the response."},
        "code": error.pop("code"),
        "detail": error.pop("message"),
        **error,
    }
    return {"description": "Problem details (RFC 9457).", **object_schema(properties, ERROR_OPTIONAL)}
