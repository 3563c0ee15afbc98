"""The AsyncAPI document (version 3.0): commands, answers and pushes over Socket.IO and over a plain WebSocket."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Literal, TypeAlias

from chatcore.commands.command import Command
from chatcore.commands.table import COMMANDS
from chatcore.protocol import Object
from chatcore.protocol.docstrings import description
from chatcore.protocol.examples import PUSH_EXAMPLES, Example, step_name, steps_of
from chatcore.protocol.pushes import PUSHES
from chatcore.protocol.schemas import Schemas, object_schema, refusals_of
from chatcore_http.command_operations import family_of
from chatcore_socketio.server import PATH as SOCKETIO
from chatcore_websocket.plain import PATH as WEBSOCKET

from .frames import ID, answer_of

Channel: TypeAlias = Literal["socketio", "websocket"]

REFUSED = "connect_error"

DESCRIPTION = (
    "A chat server. Almost every command is also an HTTP request: see `openapi.json`. The server receives commands, "
    "answers each of them, and sends pushes. Where `x-bytes-max` is given, it bounds the bytes in UTF-8 of a text, or "
    "of an object as compact JSON. The examples are one story: their names are its steps, their summaries the users."
)
CHANNELS: Mapping[Channel, Object] = {
    "socketio": {
        "address": f"{SOCKETIO}?EIO=4&transport=websocket",
        "title": "Socket.IO",
        "summary": "Socket.IO protocol 5 over Engine.IO 4, for the official clients with their default options",
        "description": "A message is the object of an event; its `name` is the event. Answers are acknowledgements. "
        'CONNECT carries `auth: {"token": "<access token>"}`.',
    },
    "websocket": {
        "address": WEBSOCKET,
        "title": "Plain WebSocket",
        "summary": "The same without a Socket.IO library: each frame is a text with one JSON object",
        "description": 'The first frame is `{"event": "connect", "data": {"token": "<access token>"}}`.',
    },
}


def asyncapi(commands: Mapping[str, type[Command[Any]]] = COMMANDS) -> Object:
    """Return the document."""
    schemas = Schemas()
    messages: Object = {}
    channels: Object = {}
    operations: Object = {}
    for channel, described in CHANNELS.items():
        named = {**_connection(channel)}
        for name, command in commands.items():
            named |= _command_messages(channel, name, command, schemas)
        for event in PUSHES:
            named[_push_id(event)] = _push_message(channel, event, schemas)
        messages |= {f"{channel}.{name}": message for name, message in named.items()}
        channels[channel] = {
            **described,
            "servers": [{"$ref": "#/servers/this"}],
            "messages": {name: {"$ref": f"#/components/messages/{channel}.{name}"} for name in named},
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        }
        operations |= _operations(channel, commands)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:chatcore:contract:1",
        "info": {
            "title": "chatcore",
            "version": version("chatcore"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": tag} for tag in dict.fromkeys(map(family_of, commands.values()))] + [{"name": "pushes"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "this": {
                "host": "{host}",
                "pathname": "{prefix}",
                "protocol": "ws",
                "description": "The server that serves this document; over TLS the protocol is `wss`.",
                "variables": {
                    "host": {"default": "localhost:3001", "description": "The host and port of this document."},
                    "prefix": {"default": "", "description": "The path before `/asyncapi.json`."},
                },
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.components.items()))},
    }


def _connection(channel: Channel) -> Object:
    """Return the messages of a plain WebSocket that Socket.IO has packets for."""
    if channel == "socketio":
        return {}
    token = object_schema({"token": {"type": "string", "description": "An access token."}}, ("token",))
    return {
        "connect": {
            "name": "connect",
            "title": "connect",
            "summary": "The first frame, within 10 s; without a token where a cookie authenticates",
            "payload": object_schema({"event": {"type": "string", "const": "connect"}, "data": token}, ("data",)),
        },
        REFUSED: {
            "name": REFUSED,
            "title": REFUSED,
            "summary": "The connection is refused; the server then closes it with 1008",
            "payload": object_schema(
                {"event": {"type": "string", "const": REFUSED}, "data": {"$ref": "#/components/schemas/Error"}}
            ),
        },
    }


def _command_messages(channel: Channel, name: str, command: type[Command[Any]], schemas: Schemas) -> Object:
    summary, _, rest = description(command).partition("\n\n")
    steps = steps_of(name)
    refusals = refusals_of(command)
    ok: Object = {"ok": {"type": "boolean", "const": True}}
    answer = _with_properties(ok, schemas.answer(command), schemas)
    return {
        name: {
            "name": name,
            "title": name,
            "summary": summary,
            **({"description": rest} if rest else {}),
            "tags": [{"name": family_of(command)}],
            "payload": _command_frame(channel, name, schemas.sent(command)),
            **_examples((step, example.user, _sent(channel, example)) for step, example in steps),
        },
        f"{name}.answer": {
            "name": f"{name}.answer",
            "title": f"the answer to {name}",
            "payload": _answer_frame(channel, answer),
            **_examples((step, e.user, _answered(channel, e)) for step, e in steps if e.error is None),
        },
        f"{name}.error": {
            "name": f"{name}.error",
            "title": f"the refusal of {name}",
            "description": "\n".join(f"- `{code}`: {when}" for code, when in refusals.items()),
            "payload": _answer_frame(channel, _refusal(list(refusals), schemas)),
            **_examples((step, e.user, _answered(channel, e)) for step, e in steps if e.error is not None),
        },
    }


def _push_message(channel: Channel, event: str, schemas: Schemas) -> Object:
    schema = schemas.push(event)
    shown = [PUSH_EXAMPLES[event]] if event in PUSH_EXAMPLES else []
    examples = [{"payload": body if channel == "socketio" else {"event": event, "data": body}} for body in shown]
    return {
        "name": event,
        "title": event,
        "summary": description(PUSHES[event]).partition("\n\n")[0],
        "tags": [{"name": "pushes"}],
        "payload": schema if channel == "socketio" else _event(event, schema),
        **({"examples": examples} if examples else {}),
    }


def _push_id(event: str) -> str:
    """Return the id of a push among the messages: a command may have the same event."""
    return f"{event}.push"


def _operations(channel: Channel, commands: Iterable[str]) -> Object:
    def messages(*names: str) -> list[Object]:
        return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]

    place = {"$ref": f"#/channels/{channel}"}
    received: Object = {
        f"{channel}.{name}": {
            "action": "receive",
            "channel": place,
            "messages": messages(name),
            "reply": {"channel": place, "messages": messages(f"{name}.answer", f"{name}.error")},
        }
        for name in commands
    }
    sent: Object = {
        f"{channel}.push.{event}": {"action": "send", "channel": place, "messages": messages(_push_id(event))}
        for event in PUSHES
    }
    if channel == "websocket":
        sent[f"{channel}.push.{REFUSED}"] = {"action": "send", "channel": place, "messages": messages(REFUSED)}
        received[f"{channel}.connect"] = {"action": "receive", "channel": place, "messages": messages("connect")}
    return {**received, **sent}


def _with_properties(properties: Object, schema: Object, schemas: Schemas) -> Object:
    """Return the schema of an object with further properties."""
    if "$ref" in schema:
        schema = schemas.components[schema["$ref"].rpartition("/")[2]]
    required = [*properties, *schema.get("required", ())]
    return {**schema, "properties": {**properties, **schema["properties"]}, "required": required}


def _refusal(codes: list[str], schemas: Schemas) -> Object:
    own = {"type": "object", "properties": {"code": {"enum": codes}}}
    return object_schema({"ok": {"type": "boolean", "const": False}, "error": {"allOf": [schemas.error(), own]}})


def _command_frame(channel: Channel, name: str, sent: Object) -> Object:
    if channel == "socketio":
        return sent
    return {**_event(name, sent, {"id": _id()}), "additionalProperties": False}


def _answer_frame(channel: Channel, answer: Object) -> Object:
    return answer if channel == "socketio" else object_schema({"id": _id(), "answer": answer})


def _event(name: str, data: Object, others: Object | None = None) -> Object:
    others = others or {}
    return object_schema({**others, "event": {"type": "string", "const": name}, "data": data}, others)


def _id() -> Object:
    return {
        "anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 64}],
        "description": "Chosen by the client. A command without it is not answered.",
    }


def _sent(channel: Channel, example: Example) -> Object:
    if channel == "socketio":
        return example.fields
    return {"id": ID, "event": example.command, "data": example.fields}


def _answered(channel: Channel, example: Example) -> Object:
    answer = answer_of(example)
    return answer if channel == "socketio" else {"id": ID, "answer": answer}


def _examples(steps: Iterable[tuple[int, str, Object]]) -> Object:
    examples = [{"name": step_name(step), "summary": user, "payload": payload} for step, user, payload in steps]
    return {"examples": examples} if examples else {}
