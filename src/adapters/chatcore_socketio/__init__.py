"""Socket.IO without a web server: chatcore for the official Socket.IO clients."""

try:
    from .server import SocketioServer as SocketioServer
except ModuleNotFoundError as _missing:
    if _missing.name not in ("engineio", "orjson", "socketio"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_socketio needs {_missing.name}; in a clone of chatcore: pip install '.[socketio]'",
        name=_missing.name,
    ) from _missing
