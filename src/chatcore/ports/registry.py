"""Which sockets a user has, on every device and node."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..ids import UserId
from .pushes import ByeCode

LEASE_S = 30
"""How long an entry of the registry lives without being renewed; nodes renew every 10 s."""

REVOKED_S = 86_400
"""How long a revocation waits for its node, which may be paused, or dead."""


@frozen(kw_only=True)
class SocketInfo:
    """One open socket. ``session`` is the host's or the bundled accounts' session it was opened with, if any."""

    id: str
    user: UserId
    device: str
    node: str
    since: datetime
    session: str | None = None


@frozen(kw_only=True)
class Renewed:
    """What a renewal found: ids whose lease had ended (the node adds them again), and those that are to be closed,
    each with what its client is told."""

    lost: frozenset[str]
    to_close: Mapping[str, ByeCode]


class SocketRegistry(ABC):
    """Leases of sockets: they end on `remove`, and by themselves `LEASE_S` after the last renewal.

    Time is the registry's own, never a node's. Every method raises `Unavailable` when it can't be reached.
    """

    @abstractmethod
    async def add(self, socket: SocketInfo) -> None:
        """Enter a socket, or enter it again; its lease starts now. One that was revoked stays revoked."""

    @abstractmethod
    async def remove(self, socket: SocketInfo) -> None:
        """Take a socket out; nothing happens when it is not there."""

    @abstractmethod
    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> Renewed:
        """Lengthen the leases of a node's sockets; the lost ones are not added."""

    @abstractmethod
    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """The user's sockets whose lease runs, oldest first."""

    @abstractmethod
    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        """Mark sockets as to be closed: gone from `of_user` at once; their node learns it at every renewal until it
        removes them, also when the lease ended meanwhile, for `REVOKED_S`."""
