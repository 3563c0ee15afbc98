"""The port through which the domain pushes to a client."""

from typing import Protocol

from .pushes import Bye, Push


class Connection(Protocol):
    """The outgoing side of a client's connection, as a transport implements it.

    A connection that raises is cut: the domain logs the exception, closes the connection with `bye slow`, and sends no
    further push.
    """

    @property
    def id(self) -> str:
        """Unique among all connections of all nodes; `ready` shows it as ``socket``."""
        ...

    def send(self, push: Push, /) -> None:
        """Write a push after the earlier ones, without blocking and without raising. Does nothing after `close`.

        The transport cuts a slow consumer, with ``Bye(code="slow")``, once more than 1 MiB of pushes waits to be sent.
        """
        ...

    def close(self, bye: Bye, /) -> None:
        """Send the reason and end the connection soon, whatever the client does. Later calls do nothing."""
        ...

    async def drained(self) -> None:
        """Return once less than 256 KiB waits to be sent, or the connection has ended. Large answers wait for this."""
        ...
