"""The socket registry of one process, or of several Chats in it."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import define

from chatcore.domain.presence import GRACE_S
from chatcore.ids import UserId
from chatcore.ports.pushes import ByeCode
from chatcore.ports.registry import (
    LEASE_S,
    REVOKED_S,
    LeaseRenewal,
    SeenUser,
    SocketInfo,
    SocketRegistry,
    seen_user,
)


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
        self._ended: dict[tuple[UserId, str], tuple[float, SocketInfo]] = {}
        """The last socket of each user and node that was removed or revoked, and when; the oldest first."""
        self._nodes_of_ended: dict[UserId, set[str]] = {}
        self._revoked: dict[str, tuple[float, ByeCode]] = {}  # time and code of each revocation, oldest first

    async def add(self, socket: SocketInfo) -> None:
        if socket.id not in self._revoked:
            self._leases[socket.id] = _Lease(socket, self._clock() + LEASE_S)
            self._of_user.setdefault(socket.user, set()).add(socket.id)

    async def remove(self, socket: SocketInfo) -> None:
        self._end(socket.id)
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
        return sorted(self._open(user), key=lambda socket: (socket.since, socket.id))

    async def presence(self, users: Collection[UserId], but: str) -> Mapping[UserId, SeenUser]:
        self._forget_ended()
        return {user: seen for user in users if (seen := self._seen(user, but))}

    async def revoke(self, sockets: Sequence[SocketInfo], code: ByeCode) -> None:
        for socket in sockets:
            self._end(socket.id)
            self._revoked.setdefault(socket.id, (self._clock(), code))

    def _open(self, user: UserId) -> Sequence[SocketInfo]:
        now = self._clock()
        leases = [self._leases[socket] for socket in self._of_user.get(user, ())]
        return [lease.socket for lease in leases if lease.ends_at > now]

    def _seen(self, user: UserId, but: str) -> SeenUser | None:
        if sockets := [socket for socket in self._open(user) if socket.node != but]:
            return seen_user(sockets)
        ended = [self._ended[user, node] for node in self._nodes_of_ended.get(user, ()) if node != but]
        if not ended:
            return None
        at, socket = max(ended, key=lambda end: end[0])
        return SeenUser(state=socket.presence, ended_s=self._clock() - at)

    def _end(self, socket_id: str) -> None:
        """End a lease. Where it still ran, note when the socket ended."""
        if lease := self._drop(socket_id):
            now, socket = self._clock(), lease.socket
            if lease.ends_at > now:
                self._ended.pop((socket.user, socket.node), None)
                self._ended[socket.user, socket.node] = now, socket
                self._nodes_of_ended.setdefault(socket.user, set()).add(socket.node)
        self._forget_ended()

    def _drop(self, socket_id: str) -> _Lease | None:
        lease = self._leases.pop(socket_id, None)
        if lease:
            mine = self._of_user[lease.socket.user]
            mine.discard(socket_id)
            if not mine:
                del self._of_user[lease.socket.user]
        return lease

    def _forget(self) -> None:
        """Drop leases that have ended, and revocations that no node has taken in time."""
        now = self._clock()
        for lease in [lease for lease in self._leases.values() if lease.ends_at <= now]:
            self._drop(lease.socket.id)
        for socket in [socket for socket, (at, _) in self._revoked.items() if at + REVOKED_S <= now]:
            del self._revoked[socket]
        self._forget_ended()

    def _forget_ended(self) -> None:
        before = self._clock() - GRACE_S
        while self._ended:
            (user, node), (at, _) = next(iter(self._ended.items()))
            if at > before:
                return
            del self._ended[user, node]
            self._nodes_of_ended[user].discard(node)
            if not self._nodes_of_ended[user]:
                del self._nodes_of_ended[user]
