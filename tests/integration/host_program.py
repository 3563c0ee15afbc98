"""A program of a host, whose Chat is in SQLite in the working directory: for aiohttp and for ASGI servers.

python -m aiohttp.web tests.integration.host_program:aiohttp_app
uvicorn tests.integration.host_program:app
"""

from aiohttp import web

from chatcore import Chat, Credentials, Principal
from chatcore_aiohttp import mount
from chatcore_asgi import ChatApp
from chatcore_sqlite import SqliteStore

PREFIX = "/chat"


async def authenticate(credentials: Credentials) -> Principal | None:
    """``bob`` is bob, ``bob@phone`` is bob on his phone."""
    user, _, device = (credentials.token or "").partition("@")
    return Principal(user, device or None) if user else None


chat = Chat(SqliteStore("chat-data"))
app = ChatApp(chat, authenticate, prefix=PREFIX)


def aiohttp_app(_: list[str]) -> web.Application:
    application = web.Application()
    mount(application, PREFIX, chat, authenticate)
    return application
