"""Chat in a Django project with its own sessions: an async view and a sync one write to the chat.

    pip install django uvicorn '.[asgi]'     # in a clone of chatcore
    SHOP_SECRET=$(openssl rand -base64 50) uvicorn django_shop:application

Django's ASGI application has no lifespan, so `ChatApp` is the outer application: it enters the Chat, serves what is
below /chat, and passes everything else on. Clients are authenticated by the cookie of their Django session.
"""

import os

import django
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from chatcore import Chat, SendMessage, Unread
from chatcore.ports.authenticator import Credentials, Principal
from chatcore_asgi import ChatApp
from chatcore_sqlite import SqliteStore

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SHOP_SECRET"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()
chat = Chat(SqliteStore("shop-chat"))


async def authenticate(credentials: Credentials) -> Principal | None:
    cookie = credentials.cookies.get(settings.SESSION_COOKIE_NAME)
    user = SessionStore(cookie).get("user") if cookie else None
    return Principal(user) if isinstance(user, str) else None


async def login(request: HttpRequest) -> JsonResponse:  # a shop checks a password here
    await request.session.aset("user", request.POST["user"])
    return JsonResponse({})


async def unread(request: HttpRequest) -> JsonResponse:
    total = await chat.execute(str(await request.session.aget("user")), Unread())
    return JsonResponse({"rooms": total.rooms, "messages": total.messages})


def ship(request: HttpRequest, order: str) -> JsonResponse:
    message = SendMessage(to=request.POST["customer"], body=f"Order {order} is on its way.", key=f"shipped {order}")
    sent = async_to_sync(chat.execute)("shop", message, trusted=True)
    return JsonResponse({"seq": sent.seq})


urlpatterns = [path("login", login), path("unread", unread), path("orders/<order>/shipment", ship)]
application = ChatApp(chat, authenticate, prefix="/chat", other=get_asgi_application())
