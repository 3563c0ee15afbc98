"""A program of a host: ChatApp on uvicorn, with SQLite.

python -m tests.integration.asgi_program FOLDER IMPLEMENTATION PORT
"""

import sys

import uvicorn

from chatcore import Chat, Credentials, Principal
from chatcore_asgi import ChatApp
from chatcore_sqlite import SqliteStore


async def authenticate(credentials: Credentials) -> Principal | None:
    return Principal(credentials.token) if credentials.token else None


def main(folder: str, implementation: str, port: str) -> None:
    app = ChatApp(Chat(SqliteStore(folder)), authenticate)
    config = uvicorn.Config(app, port=int(port), ws=implementation, lifespan="on", log_level="warning")
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
