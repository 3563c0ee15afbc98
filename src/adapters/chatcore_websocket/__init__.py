"""chatcore over websockets: what Socket.IO and the plain WebSocket share, without a web framework."""

from .connection_limits import ConnectionLimits as ConnectionLimits
from .deadlines import Timing as Timing
from .plain import WebsocketServer as WebsocketServer
from .websockets import Websockets as Websockets
