"""A moderating gate: words that are refused, words that are replaced, and nothing of it in the clients.

    pip install '.[aiohttp]'     # in a clone of chatcore
    python moderation.py 5000     # the API is at /chat/api/v1, Socket.IO at /chat/socket.io/

The gate sees every command of clients that appends, edits too, so an edit cannot bring back what a send was refused. A
message that is sent again with its key gets its first answer, also after the words have changed.
"""

import re
import sys
from typing import Any

from aiohttp import web
from attrs import evolve

from chatcore import Ask, Chat, Command, CreateRoom, EditMessage, Forbidden, SendMessage, UpdateRoom
from chatcore.ports.authenticator import Credentials, Principal
from chatcore_aiohttp import mount
from chatcore_sqlite import SqliteStore

REFUSED = re.compile(r"\bbuy now\b", re.IGNORECASE)
REPLACED = re.compile(r"\bdamn\b", re.IGNORECASE)


def cleaned(text: str) -> str:
    if REFUSED.search(text):
        raise Forbidden("Advertising is not allowed here.")
    return REPLACED.sub("****", text)


async def moderate(ask: Ask) -> Command[Any]:
    match ask.command:
        case SendMessage() | EditMessage() as command:
            return evolve(command, body=cleaned(command.body))
        case CreateRoom() | UpdateRoom() as command:
            return evolve(command, title=cleaned(command.title))
        case command:
            return command


async def authenticate(credentials: Credentials) -> Principal | None:
    return Principal(credentials.token) if credentials.token else None  # the host's own tokens


def application() -> web.Application:
    app = web.Application()
    mount(app, "/chat", Chat(SqliteStore("moderated"), gate=moderate), authenticate)
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]))
