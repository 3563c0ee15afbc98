"""A request that may become a websocket, as a web server offers it to the sessions."""

from abc import ABC, abstractmethod

from chatcore_http.responses import Response

from .session import WebsocketSession
from .writer import Writer


class Upgrade(ABC):
    """A websocket that a client asks for. Each way to serve websockets has its own."""

    @abstractmethod
    def refusal(self) -> Response | None:
        """Return the response to a request that can't become a websocket; None if it can. Raises `Invalid`."""

    @abstractmethod
    async def accept(self, close_timeout: float) -> Writer | None:
        """Open the websocket. Returns None if the client has left.

        Args:
            close_timeout: seconds from the start of a close until the connection is cut.
        """

    @abstractmethod
    async def run(self, session: WebsocketSession) -> None:
        """Give the client's frames to a session, and run the session to its end."""
