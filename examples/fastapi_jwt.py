"""Chat in a FastAPI program that has JWTs of its own.

    pip install fastapi uvicorn '.[asgi,jwt]'     # in a clone of chatcore
    SHOP_KEY=$(openssl rand -base64 32) uvicorn fastapi_jwt:app

Clients get a token of the shop at POST /login, and use it for the shop's routes and for the chat, whose API is at
/chat/api/v1. The shop itself writes to its customers with `chat.execute`.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import Body, FastAPI

from chatcore import Chat, SendMessage
from chatcore_asgi import ChatApp
from chatcore_security import bearer
from chatcore_sqlite import SqliteStore

KEY = os.environ["SHOP_KEY"]
PASSWORDS = {"alice": "open sesame", "bob": "correct horse"}  # stands for the shop's own users

chat = Chat(SqliteStore("shop-chat"))
authenticate = bearer(key=KEY, algorithms=["HS256"], audience="shop", issuer="shop")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with chat:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/chat", ChatApp(chat, authenticate))


@app.post("/login")
async def login(user: str = Body(), password: str = Body()) -> dict[str, str]:
    if PASSWORDS.get(user) != password:
        return {"error": "wrong name or password"}
    claims = {"sub": user, "aud": "shop", "iss": "shop", "exp": datetime.now(UTC) + timedelta(minutes=15)}
    return {"token": jwt.encode(claims, KEY, algorithm="HS256")}


@app.post("/orders/{order}/shipment")
async def ship(order: str, customer: str = Body(embed=True)) -> dict[str, int]:
    message = SendMessage(to=customer, body=f"Order {order} is on its way.", key=f"shipped {order}")
    return {"seq": (await chat.execute("shop", message, trusted=True)).seq}
