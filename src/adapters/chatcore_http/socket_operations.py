"""The operations of a user's own sockets over HTTP."""

from datetime import datetime

from chatcore.commands.command import GENERAL_REFUSALS
from chatcore.protocol.examples import AT, DEVICE, NODE, SOCKET
from chatcore.protocol.schemas import Schemas, object_schema

from .operations import HttpExample, Operation, Parameter

FAMILY = "sockets"


def list_operation(schemas: Schemas) -> Operation:
    socket = object_schema(schemas.named(id=str, device=str, node=str, since=datetime))
    sockets = {"type": "array", "items": schemas.component("Socket", lambda: socket)}
    return Operation(
        id="sockets.list",
        family=FAMILY,
        path="/sockets",
        title="List sockets",
        description="List the user's open sockets. `id` is the one in `socket` of the push `ready`.",
        responses={200: object_schema({"sockets": sockets})},
        refusals=GENERAL_REFUSALS,
        examples=[
            HttpExample(
                step=101,
                user="alice",
                method="GET",
                path="/sockets",
                status=200,
                answer={"sockets": [{"id": SOCKET, "device": DEVICE, "node": NODE, "since": AT}]},
            )
        ],
    )


def close_operation(schemas: Schemas) -> Operation:
    id = schemas.named(id=str)["id"]  # noqa: A001
    return Operation(
        id="sockets.close",
        family=FAMILY,
        path="/sockets/{id}",
        title="Close a socket",
        description="Close one of the user's sockets, which gets the push `bye` with `kicked`.",
        parameters=[Parameter("id", "path", id)],
        responses={204: None},
        refusals={"not_found": "the id is no socket of the user", **GENERAL_REFUSALS},
        examples=[
            HttpExample(
                step=102, user="alice", method="DELETE", path=f"/sockets/{SOCKET}", values={"id": SOCKET}, status=204
            )
        ],
    )
