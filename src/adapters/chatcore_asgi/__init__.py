"""chatcore in ASGI applications: FastAPI, Starlette, Litestar, Django."""

try:
    from chatcore_http import Origins as Origins
    from chatcore_websocket import ConnectionLimits as ConnectionLimits

    from .app import ChatApp as ChatApp
except ModuleNotFoundError as _missing:
    if _missing.name not in ("engineio", "orjson", "socketio"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_asgi needs {_missing.name}; in a clone of chatcore: pip install '.[asgi]'", name=_missing.name
    ) from _missing
