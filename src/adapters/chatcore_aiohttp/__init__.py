"""chatcore in aiohttp applications."""

try:
    from chatcore_http import Origins as Origins
    from chatcore_websocket import ConnectionLimits as ConnectionLimits

    from .application import add_endpoints as add_endpoints
    from .application import add_guard as add_guard
    from .application import add_pages as add_pages
    from .application import add_proxies as add_proxies
    from .application import add_socketio as add_socketio
    from .application import add_websocket as add_websocket
    from .mounting import mount as mount
    from .requests import aiohttp_response as aiohttp_response
    from .requests import pure_request as pure_request
except ModuleNotFoundError as _missing:
    if _missing.name not in ("aiohttp", "engineio", "orjson", "socketio"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_aiohttp needs {_missing.name}; in a clone of chatcore: pip install '.[aiohttp]'", name=_missing.name
    ) from _missing
