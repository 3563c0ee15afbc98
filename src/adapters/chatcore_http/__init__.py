"""The HTTP API of chatcore, from request to response, without a server."""

try:
    from .account_routes import AccountRoutes as AccountRoutes
    from .api import HttpApi as HttpApi
    from .command_routes import CommandRoutes as CommandRoutes
    from .credentials import credentials as credentials
    from .endpoints import PREFIX as PREFIX
    from .endpoints import Endpoint as Endpoint
    from .endpoints import Endpoints as Endpoints
    from .guard import Guard as Guard
    from .hosts import Hosts as Hosts
    from .origins import Origins as Origins
    from .problems import problem as problem
    from .proxies import Proxies as Proxies
    from .requests import Headers as Headers
    from .requests import Request as Request
    from .responses import Response as Response
    from .socket_routes import SocketRoutes as SocketRoutes
except ModuleNotFoundError as _missing:
    if _missing.name != "orjson":
        raise
    raise ModuleNotFoundError(
        f"chatcore_http needs {_missing.name}; in a clone of chatcore: pip install '.[asgi]'", name=_missing.name
    ) from _missing
