"""Hosts on ASGI frameworks, each with a page of its own at ``/`` and chatcore below `PREFIX`."""

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import django
from attrs import field, frozen
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
from chatcore.ports.authenticator import Authenticator
from chatcore_asgi import ChatApp
from chatcore_http import Origins

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


@frozen
class AsgiHost:
    """A host's program.

    Attributes:
        app: returns the application. The host enters the Chat when its server starts.
        options: of uvicorn.
    """

    app: Callable[[Chat, Authenticator, Origins], Any]
    options: Mapping[str, Any] = field(factory=dict)


def mounting(make: MakeApp, **options: Any) -> AsgiHost:
    """Return the host that mounts a ChatApp in a framework's application."""

    def app(chat: Chat, authenticate: Authenticator, origins: Origins) -> Any:
        return make(chat, ChatApp(chat, authenticate, origins=origins))

    return AsgiHost(app, options)


def around_django(chat: Chat, authenticate: Authenticator, origins: Origins) -> ChatApp:
    return ChatApp(chat, authenticate, prefix=PREFIX, other=django_app(), origins=origins)


FRAMEWORKS: Mapping[str, AsgiHost] = {
    "fastapi": mounting(fastapi_app, ws="wsproto", http="httptools", root_path="/behind"),
    "litestar": mounting(litestar_app, ws="websockets-sansio", http="h11"),
    "django": AsgiHost(around_django, {"ws": "wsproto", "http": "h11"}),
    "starlette": mounting(starlette_app, http="httptools"),
    "nested": mounting(nested_app, http="h11", root_path="/behind/a proxy"),
    "litestar-root-path": mounting(litestar_app, root_path="/behind"),
}
