"""Socket.IO on aiohttp: chatcore for the official Socket.IO clients."""

from .server import SocketioServer as SocketioServer
