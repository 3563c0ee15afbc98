"""chatcore in ASGI applications: FastAPI, Starlette, Litestar, Django."""

try:
    from .app import ChatApp as ChatApp
except ModuleNotFoundError as missing:
    if missing.name not in ("engineio", "orjson", "socketio"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_asgi needs {missing.name}; in a clone of chatcore: pip install '.[asgi]'", name=missing.name
    ) from missing
