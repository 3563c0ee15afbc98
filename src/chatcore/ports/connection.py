"""What a transport gives the domain: a connection to push to."""

from typing import Protocol

from .pushes import Bye, Push


class Connection(Protocol):
    """A client's connection, as a transport implements it. The transport reads from it by itself.

    A connection that raises is cut: the fault is logged, it is closed with `bye slow`, and it gets no further push.
    """

    @property
    def id(self) -> str:
        """Unique among all connections of all nodes; `ready` shows it as ``socket``."""
        ...

    def send(self, push: Push) -> None:
        """Write a push, in order, without blocking and without raising; after `close` it does nothing.

        The transport cuts a slow consumer, with ``Bye(code="slow")``, once more than 1 MiB of
        pushes waits to be sent.
        """
        ...

    def close(self, bye: Bye) -> None:
        """Tell the client why and end the connection, soon, whatever the client does. Further calls do nothing."""
        ...

    async def drained(self) -> None:
        """Return once less than 256 KiB waits to be sent, or the connection has ended: large answers wait for it."""
        ...
