"""Programs of hosts on ASGI frameworks, whose Chat is in SQLite in the working directory.

uvicorn tests.integration.framework_program:fastapi
"""

from chatcore_http import Origins

from .host_program import authenticate, chat
from .http_frameworks import FRAMEWORKS

fastapi, litestar, django = (
    FRAMEWORKS[name].app(chat, authenticate, Origins()) for name in ("fastapi", "litestar", "django")
)
