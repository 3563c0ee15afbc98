"""The port that knows all sockets of a user, on all devices and nodes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..ids import UserId
from .pushes import ByeCode

LEASE_S = 30
"""Seconds from a lease's last renewal to its end. Nodes renew every 10 s."""

REVOKED_S = 86_400
"""Seconds for which a revocation is kept for a node that does not renew. The node may be paused or dead."""


@frozen(kw_only=True)
class SocketInfo:
    """An open socket. ``session`` is the host's or the bundled accounts' session of the user, if there is one."""

    id: str
    user: UserId
    device: str
    node: str
    since: datetime
    session: str | None = None


@frozen(kw_only=True)
class LeaseRenewal:
    """The result of a renewal.

    Attributes:
        lost: the ids of sockets with a lease that had ended. The node adds them again.
        to_close: the ids of revoked sockets, each with the code of its `bye`. The node closes them.
    """

    lost: frozenset[str]
    to_close: Mapping[str, ByeCode]


class SocketRegistry(ABC):
    """The leases of sockets. A lease ends on `remove`, and `LEASE_S` after its last renewal.

    The registry uses its own clock, not that of a node. Every method raises `Unavailable` if the registry cannot be
    reached.
    """

    @abstractmethod
    async def add(self, socket: SocketInfo) -> None:
        """Add a socket, or add it again: its lease starts now. A revoked socket stays revoked."""

    @abstractmethod
    async def remove(self, socket: SocketInfo) -> None:
        """Remove a socket, if it is there."""

    @abstractmethod
    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        """Renew the leases of a node's sockets. A lease that has ended stays ended."""

    @abstractmethod
    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """Return the user's sockets with a running lease, oldest first. Revoked sockets are left out."""

    @abstractmethod
    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        """Revoke sockets: `of_user` leaves them out at once, and their nodes are to close them.

        Every renewal returns a revoked socket, for `REVOKED_S`, until its node removes it. The end of its lease does
        not end the revocation.
        """
