"""Hosts on ASGI frameworks, each with a page of its own at ``/`` and chatcore below `PREFIX`."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from fastapi import FastAPI
from litestar import Litestar, get
from litestar.handlers import asgi
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from chatcore.chat import Chat
from chatcore_asgi import ChatApp

PREFIX = "/the/chat"
PAGE = "the host's own page"

MakeApp = Callable[[Chat, ChatApp], Any]
"""Returns the application of a host that mounts a ChatApp, and enters its Chat."""


def starlette_app(chat: Chat, chat_app: ChatApp) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with chat:
            yield

    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse(PAGE)

    return Starlette(routes=[Route("/", page), Mount(PREFIX, chat_app)], lifespan=lifespan)


def nested_app(chat: Chat, chat_app: ChatApp) -> Starlette:
    """Mount in an application that another one mounts."""
    _, _, last = PREFIX.rpartition("/")
    inner = Starlette(routes=[Mount(f"/{last}", chat_app)])
    app = starlette_app(chat, chat_app)
    app.router.routes[1:] = [Mount(PREFIX.removesuffix(f"/{last}"), inner)]
    return app


def fastapi_app(chat: Chat, chat_app: ChatApp) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with chat:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def page() -> str:
        return PAGE

    app.mount(PREFIX, chat_app)
    return app


def litestar_app(chat: Chat, chat_app: ChatApp) -> Litestar:
    @get("/")
    async def page() -> str:
        return PAGE

    # Its default for logging sets the level of the root logger.
    mounted = asgi(PREFIX, is_mount=True, copy_scope=True)(chat_app)
    return Litestar([page, mounted], lifespan=[lambda _: chat], logging_config=None)


def page_of_django(_: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE.encode())


urlpatterns = [path("", page_of_django)]


def django_app() -> Any:
    """Return Django's application, which has no lifespan: a ChatApp stands around it."""
    if not settings.configured:
        settings.configure(ROOT_URLCONF=sys.modules[__name__], ALLOWED_HOSTS=["*"], SECRET_KEY="of the tests")
        django.setup()
    return get_asgi_application()


MOUNTED: dict[str, MakeApp] = {
    "starlette": starlette_app,
    "nested": nested_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
}
