"""chatcore over Socket.IO."""

from .caps import Caps as Caps
from .server import SocketioServer as SocketioServer
from .timing import Timing as Timing
