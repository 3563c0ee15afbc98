"""The client's way to the network: private, so that tests replace it.

The client calls `Transport.open` for each connection, and has at most one open. All times of the client come from the
event loop (`loop.time`, `loop.call_later`), so that a virtual-time loop replaces the clock.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A JSON object of the wire."""


class ConnectionHandler(Protocol):
    """What a connection tells the client, in the order of arrival, from callbacks of the event loop."""

    def pushed(self, event: str, data: Object) -> None:
        """Take a push. The first one is `ready`."""

    def refused(self, error: Object) -> None:
        """End: the server refused the connection with the error object of a `connect_error`. Nothing follows."""

    def closed(self, code: int) -> None:
        """End: nothing follows. 1006 stands for a connection that broke, or was not made, without a close code.

        It is not called after `Connection.close`.
        """


class Connection(Protocol):
    """One connection, from the attempt to its end."""

    def send(self, event: str, data: Object, on_answer: Callable[[Object], None]) -> None:
        """Send a command, in the order of the calls. `on_answer` takes the answer, if there is one."""

    def close(self) -> None:
        """Close the connection, or give up the attempt. Nothing is called afterwards."""


class Transport(Protocol):
    """Opens connections."""

    def open(self, token: str, handler: ConnectionHandler) -> Connection:
        """Begin to connect with an access token. What happens is told to `handler`, never before `open` returns."""
        raise NotImplementedError

    async def close(self) -> None:
        """Release what is left of the closed connections. Called once, at the end."""

    def pause_factor(self) -> float:
        """Return a random factor from 0.5 to 1.5 for a pause before the next connection."""
        raise NotImplementedError
