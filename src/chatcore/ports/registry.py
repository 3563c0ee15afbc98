"""The port that knows all sockets of a user, on all devices and nodes."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ..domain.presence import ActiveState
from ..ids import UserId
from .pushes import ByeCode

LEASE_S = 30
"""Seconds from a lease's last renewal to its end. Nodes renew every 10 s."""

REVOKED_S = 86_400
"""Seconds for which a revocation is kept for a node that does not renew. The node may be paused or dead."""


@frozen(kw_only=True)
class SocketInfo:
    """An open socket.

    Attributes:
        session: the host's or the bundled accounts' session of the user, if there is one.
        away: whether the socket's client has said that its user is away.
    """

    id: str
    user: UserId
    device: str
    node: str
    since: datetime
    session: str | None = None
    away: bool = False

    @property
    def presence(self) -> ActiveState:
        """What the socket says about its user."""
        return "away" if self.away else "online"


@frozen(kw_only=True)
class LeaseRenewal:
    """The result of a renewal.

    Attributes:
        lost: the ids of sockets with a lease that had ended. The node adds them again.
        to_close: the ids of revoked sockets, each with the code of its `bye`. The node closes them.
    """

    lost: frozenset[str]
    to_close: Mapping[str, ByeCode]


@frozen(kw_only=True)
class SeenUser:
    """The presence of a user by sockets.

    Attributes:
        state: ``away`` if all open sockets are. Without open ones, what the socket said that ended last.
        ended_s: the seconds since that end; None with an open socket.
    """

    state: ActiveState
    ended_s: float | None = None


def seen_user(sockets: Collection[SocketInfo]) -> SeenUser:
    """Return the presence of a user with the open ``sockets``, of which there is one at least."""
    return SeenUser(state="away" if all(socket.away for socket in sockets) else "online")


class SocketRegistry(ABC):
    """The leases of sockets. A lease ends on `remove`, and `LEASE_S` after its last renewal.

    The registry uses its own clock, not that of a node. Every method raises `Unavailable` if the registry cannot be
    reached.
    """

    @abstractmethod
    async def add(self, socket: SocketInfo) -> None:
        """Add a socket, or add it again: its lease starts now. A revoked socket stays revoked.

        A socket that is added again may have another value of ``away``.
        """

    @abstractmethod
    async def remove(self, socket: SocketInfo) -> None:
        """Remove a socket, if it is there."""

    @abstractmethod
    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        """Renew the leases of a node's sockets. A lease that has ended stays ended."""

    @abstractmethod
    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        """Return the user's sockets with a running lease, oldest first. Revoked sockets are left out."""

    async def presence(self, users: Collection[UserId], but: str) -> Mapping[UserId, SeenUser]:
        """Return the presence of ``users`` by the sockets of all nodes except the node ``but``.

        For a user without open sockets, a socket with a running lease that was removed or revoked less than `GRACE_S`
        ago still counts. A lease that ends by itself, because its node was killed, does not. Others are left out.

        The default asks `of_user` for each user, and knows nothing of ended sockets.
        """
        seen: dict[UserId, SeenUser] = {}
        for user in users:
            if sockets := [socket for socket in await self.of_user(user) if socket.node != but]:
                seen[user] = seen_user(sockets)
        return seen

    @abstractmethod
    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        """Revoke sockets: `of_user` leaves them out at once, and their nodes are to close them.

        Every renewal returns a revoked socket, for `REVOKED_S`, until its node removes it. The end of its lease does
        not end the revocation.
        """
