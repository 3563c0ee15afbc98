"""The documents of the contract as the bundled server gives them, and access to what is in them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from chatcore.accounts import Accounts
from chatcore.chat import Chat
from chatcore_documents.asyncapi import asyncapi
from chatcore_documents.endpoints import PAGES
from chatcore_documents.openapi import openapi
from chatcore_http import AccountRoutes, CommandRoutes, Endpoint, SocketRoutes
from chatcore_memory import MemoryAccounts, MemoryStore
from chatcore_security import Argon2Hasher, JwtTokens, canonical_username
from chatcore_server.app import PAGES as SERVER_PAGES

Json: TypeAlias = Any
METHODS = ("get", "post", "put", "patch", "delete")


def endpoints() -> Sequence[Endpoint]:
    """Return the endpoints of the bundled server."""
    accounts = Accounts(MemoryAccounts(), Argon2Hasher(), JwtTokens(b"x" * 32), canonical_username)
    chat = Chat(MemoryStore())
    routes = (
        AccountRoutes(accounts),
        SocketRoutes(chat=chat, authenticate=accounts.authenticate),
        CommandRoutes(chat=chat, authenticate=accounts.authenticate),
    )
    return [endpoint for family in routes for endpoint in family.endpoints()]


@cache
def openapi_document() -> Json:
    return openapi(endpoints(), {**SERVER_PAGES, **PAGES})


@cache
def asyncapi_document() -> Json:
    return asyncapi()


def resolved(document: Json, schema: Json) -> Json:
    """Return a schema, or the one that it refers to."""
    while "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def operations() -> Iterator[tuple[str, str, Json]]:
    """Yield the method, path and object of every operation of the HTTP API."""
    for path, item in openapi_document()["paths"].items():
        for method in METHODS:
            if method in item and "servers" not in item:
                yield method.upper(), path, item[method]


def message(name: str, channel: str = "socketio") -> Json:
    return asyncapi_document()["components"]["messages"][f"{channel}.{name}"]


def payload(name: str, channel: str = "socketio") -> Json:
    """Return the schema of a message, without references at its top."""
    return resolved(asyncapi_document(), message(name, channel)["payload"])


def without_notes(schema: Json) -> Json:
    """Return a schema without descriptions and default values, to compare it with another."""
    match schema:
        case Mapping():
            return {
                name: without_notes(value)
                for name, value in schema.items()
                if not (name in ("description", "default") and not isinstance(value, Mapping))
            }
        case list():
            return [without_notes(item) for item in schema]
        case _:
            return schema
