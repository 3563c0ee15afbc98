"""Socket.IO on aiohttp: chatcore for the official Socket.IO clients."""

from .connection_limits import ConnectionLimits as ConnectionLimits
from .deadlines import Timing as Timing
from .server import SocketioServer as SocketioServer
