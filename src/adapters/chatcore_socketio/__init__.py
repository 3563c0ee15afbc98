"""chatcore over Socket.IO."""

from .connection_limits import ConnectionLimits as ConnectionLimits
from .deadlines import Timing as Timing
from .server import SocketioServer as SocketioServer
