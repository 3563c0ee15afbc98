"""Chat in an aiohttp shop that keeps its customers' sessions in cookies.

    pip install '.[aiohttp]'     # in a clone of chatcore
    python aiohttp_shop.py 5000     # the API is at /chat/api/v1, Socket.IO at /chat/socket.io/

The chat asks the shop who a request belongs to, and knows nothing else of the shop than its session cookie.
Signing out of the shop ends the session's sockets.
"""

import secrets
import sys

from aiohttp import web

from chatcore import Chat, SendMessage
from chatcore.ports.authenticator import Credentials, Principal
from chatcore_aiohttp import mount
from chatcore_sqlite import SqliteStore

sessions: dict[str, str] = {}
chat = Chat(SqliteStore("shop-chat"))


async def authenticate(credentials: Credentials) -> Principal | None:
    session = credentials.cookies.get("session", "")
    return Principal(sessions[session], session=session) if session in sessions else None


async def sign_in(request: web.Request) -> web.Response:  # a shop checks a password here
    session = secrets.token_urlsafe()
    sessions[session] = str((await request.post())["user"])
    response = web.json_response({})
    response.set_cookie("session", session, httponly=True, samesite="Lax")
    return response


async def sign_out(request: web.Request) -> web.Response:
    session = request.cookies.get("session", "")
    if user := sessions.pop(session, None):
        await chat.close_session(user, session)
    return web.json_response({})


async def ship(request: web.Request) -> web.Response:
    order, customer = request.match_info["order"], str((await request.post())["customer"])
    message = SendMessage(to=customer, body=f"Order {order} is on its way.", key=f"shipped {order}")
    return web.json_response({"seq": (await chat.execute("shop", message, trusted=True)).seq})


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post("/sign-in", sign_in), web.post("/sign-out", sign_out)])
    app.add_routes([web.post("/orders/{order}/shipment", ship)])
    mount(app, "/chat", chat, authenticate)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
