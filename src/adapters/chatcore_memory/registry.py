"""The socket registry of one process, or of several Chats in it."""

import time
from collections.abc import Callable, Sequence

from attrs import define

from chatcore.ids import UserId
from chatcore.ports.pushes import ByeCode
from chatcore.ports.registry import LEASE_S, REVOKED_S, LeaseRenewal, SocketInfo, SocketRegistry


@define
class _Lease:
    socket: SocketInfo
    ends_at: float


class MemoryRegistry(SocketRegistry):
    """A registry in memory, whose methods never wait. ``clock`` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        self._of_user: dict[UserId, set[str]] = {}
        self._revoked: dict[str, tuple[float, ByeCode]] = {}  # time and code of each revocation, oldest first

    async def add(self, socket: SocketInfo) -> None:
        if socket.id not in self._revoked:
            self._leases[socket.id] = _Lease(socket, self._clock() + LEASE_S)
            self._of_user.setdefault(socket.user, set()).add(socket.id)

    async def remove(self, socket: SocketInfo) -> None:
        self._end(socket)
        self._revoked.pop(socket.id, None)

    async def renew(self, node: str, sockets: Sequence[SocketInfo]) -> LeaseRenewal:
        self._forget()
        lost: set[str] = set()
        to_close: dict[str, ByeCode] = {}
        for socket in sockets:
            if revoked := self._revoked.get(socket.id):
                to_close[socket.id] = revoked[1]
            elif lease := self._leases.get(socket.id):
                lease.ends_at = self._clock() + LEASE_S
            else:
                lost.add(socket.id)
        return LeaseRenewal(lost=frozenset(lost), to_close=to_close)

    async def of_user(self, user: UserId) -> Sequence[SocketInfo]:
        leases = [self._leases[socket] for socket in self._of_user.get(user, ())]
        now = self._clock()
        sockets = [lease.socket for lease in leases if lease.ends_at > now]
        return sorted(sockets, key=lambda socket: (socket.since, socket.id))

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        for socket in sockets:
            self._end(socket)
            self._revoked.setdefault(socket.id, (self._clock(), code))

    def _end(self, socket: SocketInfo) -> None:
        if self._leases.pop(socket.id, None):
            mine = self._of_user[socket.user]
            mine.discard(socket.id)
            if not mine:
                del self._of_user[socket.user]

    def _forget(self) -> None:
        """Drop leases that have ended, and revocations that no node has taken in time."""
        now = self._clock()
        for lease in [lease for lease in self._leases.values() if lease.ends_at <= now]:
            self._end(lease.socket)
        for socket in [socket for socket, (at, _) in self._revoked.items() if at + REVOKED_S <= now]:
            del self._revoked[socket]
