"""The presence of users: who is online, and which clients watch whom."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import TypeAlias, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from ..domain.presence import GRACE_S, HIDDEN, ActiveState, PresenceState, UserPresence
from ..ids import UserId
from ..ports.bus import PresenceHint
from ..ports.pushes import PresencePush, Push
from ..ports.registry import SeenUser, SocketRegistry
from ..ports.store import Store
from .background import Background
from .departures import Departures
from .event_loop import current_time
from .live_sockets import LiveSocket, LiveUser

QUESTION_S = 2
"""Seconds between two questions to the registry for all users that are watched here."""
COALESCED_S = 0.25
"""Seconds for which changes are collected before they are pushed, published or asked for."""
BLOCKS_CHECKED_S = 20
"""Seconds between two reads of the blocks that hide a user: their end is not reported."""
USERS_TOGETHER = 500
"""The most users in one call of the store or the registry, and in one hint."""
SENT_TOGETHER = 1_000
"""The most pushes in one turn of the event loop."""

T = TypeVar("T")


@define(eq=False)
class Watch:
    """The users that a socket watches; ``socket`` is None while a request without a socket is answered."""

    watcher: UserId
    socket: LiveSocket | None
    pairs: "list[_Pair]" = field(factory=list)


@define(eq=False)
class _Pair:
    """A watch and one of its users.

    Attributes:
        shown: what the client was shown last; None until the answer of its command.
        visible: whether the client may see the user; None if that has to be read.
        blocked: whether the user is not visible because of a block alone.
        changes: counts what may have changed the visibility. A read that began before a change does not count.
    """

    watch: Watch
    watched: "_Watched"
    shown: UserPresence | None = None
    visible: bool | None = None
    blocked: bool = False
    changes: int = 0


@define(eq=False)
class _Watched:
    """A user that is watched on this node.

    Attributes:
        visible: how many pairs may see the user.
        elsewhere: what the registry said about the sockets of other nodes.
        read_at: when that read began; None if the registry has not been asked yet.
        question: the number of the question to which that is the answer.
        ended_at: when the last socket on this node ended.
    """

    user: UserId
    state: PresenceState = "offline"
    pairs: dict[_Pair, None] = field(factory=dict)
    visible: int = 0
    elsewhere: SeenUser | None = None
    read_at: float | None = None
    question: int = 0
    ended_at: float = -inf


_Visibility: TypeAlias = Mapping[_Pair, bool]


class Presence:
    """Says who is online, and pushes it to the sockets that watch.

    A user is present while a socket of the user is open on any node, and for 10 s after the last one. Sockets of this
    node are known at once. Sockets of other nodes are asked of the registry: for users that are watched here every 2 s,
    and again before they are taken to be offline. While nobody watches, a connect costs some lookups in memory.

    A watching client sees members of its user's rooms, unless one of the two has blocked the other. That is read once
    per pair, and again when it may have changed.

    Args:
        users: the users with sockets on this node.
        registry: knows the sockets of all nodes; None if there are no others.
        clock: returns the UTC time at which users are last seen.
        publish: publishes hints to other nodes; None without a bus.
        enabled: False: everybody is offline, and nothing is pushed or stored.
    """

    def __init__(
        self,
        store: Store,
        users: Mapping[UserId, LiveUser],
        *,
        registry: SocketRegistry | None,
        node: str,
        clock: Callable[[], datetime],
        publish: Callable[[PresenceHint], None] | None,
        enabled: bool,
    ) -> None:
        self.enabled = enabled
        self._store = store
        self._users = users
        self._registry = registry
        self._node = node
        self._departures = Departures(store, clock)
        self._publish = publish
        self._finished = False
        self._watched: dict[UserId, _Watched] = {}
        self._watches: dict[LiveSocket, list[Watch]] = {}
        """The watches of a socket: the present one, and those of commands that are being answered."""
        self._blocked: dict[_Pair, None] = {}
        self._holds: dict[UserId, float] = {}
        """The watched users without open sockets, and until when they are present all the same."""
        self._asked: dict[UserId, None] = {}
        """The watched users for whom the registry is asked before the next poll."""
        self._hinted: dict[UserId, None] = {}
        self._changed_users: dict[UserId, None] = {}
        self._changed_pairs: dict[_Pair, None] = {}
        self._questions = 0
        self._poll_at = self._blocks_at = -inf
        self._any_changed, self._any_asked, self._any_hinted = (anyio.Event() for _ in range(3))

    @property
    def is_watched(self) -> bool:
        """Whether any user is watched on this node."""
        return bool(self._watched)

    @property
    def watched_count(self) -> int:
        """How many users are watched on this node."""
        return len(self._watched)

    @property
    def features(self) -> Sequence[str]:
        """The names of this feature in the push `ready`."""
        return ("presence",) if self.enabled else ()

    def start_tasks(self, background: Background) -> None:
        """Do the work of this object while ``background`` is entered."""
        if self.enabled:
            background.repeat("asking for the presence of users", self._ask)
            background.repeat("pushing the presence of users", self._push)
            background.repeat("noting when users were last seen", self._departures.write)
            if self._publish:
                background.repeat("publishing the presence of users", self._publish_hints)

    # What happens to sockets, memberships and blocks.

    def opened(self, socket: LiveSocket) -> None:
        """Note that a socket has got its `ready`."""
        if self.enabled:
            self._departures.recent.pop(socket.user, None)
            self._sockets_changed(socket.user)
            self._hint(socket.user)

    def closed(self, socket: LiveSocket) -> None:
        """Note that a socket has left its user."""
        for watch in self._watches.pop(socket, ()):
            self._detach(watch)
        if not self.enabled or self._finished or socket.connecting:
            return
        user = socket.user
        if self._here(user) is None:
            departure = self._departures.add(user, "away" if socket.away else "online")
            if watched := self._watched.get(user):
                watched.ended_at = departure.at
        self._sockets_changed(user)

    def set_away(self, socket: LiveSocket, *, away: bool) -> None:
        """Take a client's word for whether its user is away."""
        if self.enabled and socket.away != away and not socket.ended:
            socket.away = away
            if socket.note_away:
                socket.note_away(away)
            self._sockets_changed(socket.user)
            self._hint(socket.user)

    def note_memberships(self, users: Iterable[UserId]) -> None:
        """Note that the memberships of ``users`` may have changed."""
        if self._watched:
            for user in users:
                for pair in self._pairs_of(user):
                    self._changed(pair)

    def note_block(self, user: UserId, other: UserId) -> None:
        """Note that a block between two users may have been made, or may have ended."""
        for watcher, watched in ((user, other), (other, user)):
            for pair in self._watched[watched].pairs if watched in self._watched else ():
                if pair.watch.watcher == watcher:
                    self._changed(pair)

    def take_hint(self, hint: PresenceHint) -> None:
        """Take a hint that sockets of users have changed on another node."""
        if hint.node != self._node:
            self._ask_soon(user for user in hint.users if user in self._watched)

    # Commands.

    async def read(
        self, watcher: UserId, users: Sequence[UserId], socket: LiveSocket | None
    ) -> Mapping[UserId, UserPresence]:
        """Return what ``watcher`` is shown of ``users``. Raises `Unavailable`.

        From the return on, ``socket`` is pushed the changes of these users, and no longer those of its former ones.
        There must be no await between the return and the answer.
        """
        if not self.enabled:
            return dict.fromkeys(users, HIDDEN)
        watch = Watch(watcher, socket)
        if socket:
            self._watches.setdefault(socket, []).append(watch)
        for user in users:
            self._attach(watch, user)
        pairs = tuple(watch.pairs)  # the watch loses them if its socket ends meanwhile
        try:
            visible = await self._read_visibility(pairs)
            seen = [pair.watched for pair in pairs if visible[pair]]
            await self._read_elsewhere(seen)
            last_seen = await self._departures.read_last_seen(
                [watched.user for watched in seen if watched.state == "offline"]
            )
        except BaseException:
            self._end(watch)
            raise
        for pair in pairs:
            watched = pair.watched
            pair.shown = UserPresence(watched.state, self._last_seen(watched, last_seen)) if visible[pair] else HIDDEN
            if self._is_live(pair) and pair.visible != visible[pair]:
                self._changed(pair)
            elif visible[pair] and watched.state == "offline" and watched.user not in last_seen:
                self._user_changed(watched)
        shown = {pair.watched.user: pair.shown for pair in pairs if pair.shown}
        if socket is None or socket.ended:
            self._end(watch)
        else:
            for former in [other for other in self._watches[socket] if other is not watch]:
                self._end(former)
            if not users:
                self._end(watch)
        return shown

    async def finish(self) -> None:
        """Write when the users of this node were last seen: now, since their sockets end with the Chat."""
        self._finished = True
        await self._departures.finish(self._users if self.enabled else ())

    # Watches.

    def _attach(self, watch: Watch, user: UserId) -> None:
        watched = self._watched.get(user)
        if watched is None:
            watched = self._watched[user] = _Watched(user)
            if departure := self._departures.recent.get(user):
                watched.ended_at = departure.at
            self._evaluate(watched)
            self._any_asked.set()
        pair = _Pair(watch, watched)
        watched.pairs[pair] = None
        watch.pairs.append(pair)

    def _end(self, watch: Watch) -> None:
        """End a watch. Its socket, if it has one, is open."""
        if watch.socket and (watches := self._watches.get(watch.socket)):
            watches.remove(watch)
            if not watches:
                del self._watches[watch.socket]
            self._detach(watch)
        elif watch.socket is None:
            self._detach(watch)

    def _detach(self, watch: Watch) -> None:
        for pair in watch.pairs:
            watched = pair.watched
            self._set_visible(pair, None)
            self._changed_pairs.pop(pair, None)
            del watched.pairs[pair]
            if not watched.pairs:
                del self._watched[watched.user]
                for kept in (self._holds, self._asked, self._changed_users):
                    kept.pop(watched.user, None)
            pair.shown = None
        watch.pairs.clear()  # they refer to the watch: no reference cycle may be left

    def _pairs_of(self, user: UserId) -> Iterable[_Pair]:
        """Return the pairs in which ``user`` watches or is watched."""
        if watched := self._watched.get(user):
            yield from watched.pairs
        if live := self._users.get(user):
            for socket in live.sockets.values():
                for watch in self._watches.get(socket, ()):
                    yield from watch.pairs

    def _changed(self, pair: _Pair) -> None:
        """Let the visibility of a pair be read again."""
        pair.changes += 1
        self._set_visible(pair, None)
        self._changed_pairs[pair] = None
        self._any_changed.set()

    def _set_visible(self, pair: _Pair, visible: bool | None, *, blocked: bool = False) -> None:
        watched = pair.watched
        watched.visible += (visible is True) - (pair.visible is True)
        if visible and watched.visible == 1 and watched.read_at is not None and not self._is_fresh(watched.read_at):
            watched.elsewhere = watched.read_at = None  # the registry is polled for visible users alone
        pair.visible, pair.blocked = visible, blocked
        if blocked:
            self._blocked[pair] = None
        else:
            self._blocked.pop(pair, None)

    # States.

    def _here(self, user: UserId) -> ActiveState | None:
        """Return the presence of a user by the open sockets of this node."""
        live = self._users.get(user)
        sockets = [socket for socket in live.sockets.values() if not socket.connecting] if live else []
        if not sockets:
            return None
        return "away" if all(socket.away for socket in sockets) else "online"

    def _sockets_changed(self, user: UserId) -> None:
        if watched := self._watched.get(user):
            self._evaluate(watched)

    def _evaluate(self, watched: _Watched) -> None:
        """Set the state of a watched user, and note whether it has changed."""
        user, seen = watched.user, watched.elsewhere
        if self._watched.get(user) is not watched:
            return
        open_states = {self._here(user), seen.state if seen and seen.ended_s is None else None}
        read_at = -inf if watched.read_at is None else watched.read_at
        held_until = watched.ended_at + GRACE_S
        if seen and seen.ended_s is not None:
            held_until = max(held_until, read_at + GRACE_S - seen.ended_s)
        state: PresenceState
        self._holds.pop(user, None)
        if open_states != {None}:
            state = "online" if "online" in open_states else "away"
        elif held_until > read_at or seen:  # only a later answer of the registry shows that there is no other socket
            self._holds[user] = held_until
            self._any_asked.set()
            state = self._before(watched)
        else:
            state = "offline"
        if state != watched.state:
            watched.state = state
            self._user_changed(watched)

    def _user_changed(self, watched: _Watched) -> None:
        if self._watched.get(watched.user) is watched:
            self._changed_users[watched.user] = None
            self._any_changed.set()

    def _before(self, watched: _Watched) -> PresenceState:
        """Return the state of a user before the last socket ended."""
        if watched.state != "offline":
            return watched.state
        if departure := self._departures.recent.get(watched.user):
            return departure.state
        return watched.elsewhere.state if watched.elsewhere else "offline"

    def _is_fresh(self, read_at: float) -> bool:
        return read_at > current_time() - 2 * QUESTION_S

    def _is_known(self, watched: _Watched) -> bool:
        return self._registry is None or watched.read_at is not None or self._here(watched.user) == "online"

    # The registry.

    def _ask_soon(self, users: Iterable[UserId]) -> None:
        for user in users:
            self._asked[user] = None
            self._any_asked.set()

    async def _ask(self) -> None:
        """Wait until the registry has to be asked, and ask it. Raises `Unavailable`."""
        with anyio.move_on_after(self._next_question() - current_time()):
            await self._any_asked.wait()
        await anyio.sleep(COALESCED_S)
        self._any_asked = anyio.Event()
        now = current_time()
        if now >= self._blocks_at:
            self._blocks_at = now + BLOCKS_CHECKED_S
            for pair in tuple(self._blocked):
                self._changed(pair)
        asked = [user for user, until in self._holds.items() if until <= now]
        if now >= self._poll_at:
            self._poll_at = now + QUESTION_S
            asked += [user for user, watched in self._watched.items() if watched.visible]
        soon, self._asked = self._asked, {}
        try:
            await self._read_elsewhere([self._watched[user] for user in dict.fromkeys([*asked, *soon])])
        except BaseException:
            self._ask_soon(user for user in soon if user in self._watched)
            raise

    def _next_question(self) -> float:
        """Return the time at which the registry is asked next, unless there is an earlier reason."""
        if not self._watched:
            return inf
        poll_at = self._poll_at if self._registry else self._blocks_at if self._blocked else inf
        return min(poll_at, min(self._holds.values(), default=inf))

    async def _read_elsewhere(self, some: Iterable[_Watched]) -> None:
        """Ask the registry for the sockets that other nodes have of users. Raises `Unavailable`."""
        unknown = [watched for watched in some if self._here(watched.user) != "online"]
        for chunk in _in_parts(unknown):
            self._questions += 1
            number, started = self._questions, current_time()
            users = [watched.user for watched in chunk]
            seen = await self._registry.presence(users, self._node) if self._registry else {}
            for watched in chunk:
                if number > watched.question:  # an answer to a later question may have come before
                    self._heard(watched, seen.get(watched.user), number, started)

    def _heard(self, watched: _Watched, seen: SeenUser | None, question: int, started: float) -> None:
        """Take the answer of the registry to a question that was asked at ``started``."""
        first = watched.read_at is None
        watched.elsewhere, watched.question, watched.read_at = seen, question, started
        self._evaluate(watched)
        if first:
            self._user_changed(watched)

    def _hint(self, user: UserId) -> None:
        if self._publish:
            self._hinted[user] = None
            self._any_hinted.set()

    async def _publish_hints(self) -> None:
        await self._any_hinted.wait()
        await anyio.sleep(COALESCED_S)
        self._any_hinted = anyio.Event()
        users, self._hinted = list(self._hinted), {}
        for chunk in _in_parts(users):
            if self._publish:
                self._publish(PresenceHint(node=self._node, users=frozenset(chunk)))

    # Pushes.

    async def _push(self) -> None:
        """Wait for changes, and push what they show. Raises `Unavailable`."""
        await self._any_changed.wait()
        await anyio.sleep(COALESCED_S)
        self._any_changed = anyio.Event()
        pairs, self._changed_pairs = self._changed_pairs, {}
        users, self._changed_users = self._changed_users, {}
        for user in users:
            pairs |= self._watched[user].pairs
        try:
            await self._send(pairs, {})
            await self._read_visibility([pair for pair in pairs if pair.visible is None and self._is_live(pair)])
            offline = {pair.watched.user for pair in pairs if pair.visible and pair.watched.state == "offline"}
            await self._send(pairs, await self._departures.read_last_seen(sorted(offline)))
        except BaseException:
            self._changed_pairs |= {pair: None for pair in pairs if self._is_live(pair)}
            self._any_changed.set()
            raise

    def _is_live(self, pair: _Pair) -> bool:
        return pair in pair.watched.pairs

    async def _send(self, pairs: Iterable[_Pair], last_seen: Mapping[UserId, datetime | None]) -> None:
        """Push to each socket of ``pairs`` what it is not shown yet, as far as that is known."""
        pushes: dict[tuple[UserId, UserPresence], Push] = {}
        for number, pair in enumerate(pairs, start=1):
            if number % SENT_TOGETHER == 0:
                await checkpoint()
            if pair.shown is None or pair.visible is None or pair.watch.socket is None:
                continue
            shown, user = HIDDEN, pair.watched.user
            if pair.visible:
                if not self._is_known(pair.watched):
                    self._ask_soon([user])
                    continue
                if pair.watched.state == "offline" and user not in last_seen:
                    continue
                shown = UserPresence(pair.watched.state, self._last_seen(pair.watched, last_seen))
            if shown != pair.shown:
                pair.shown = shown
                push = pushes.get((user, shown))
                if push is None:
                    body = PresencePush(user=user, state=shown.state, last_seen=shown.last_seen)
                    push = pushes[user, shown] = Push("presence", body)
                pair.watch.socket.connection.send(push)

    def _last_seen(self, watched: _Watched, stored: Mapping[UserId, datetime | None]) -> datetime | None:
        if watched.state != "offline":
            return None
        return self._departures.last_seen(watched.user, stored.get(watched.user))

    async def _read_visibility(self, pairs: Collection[_Pair]) -> _Visibility:
        """Read which of ``pairs`` may see each other. Raises `Unavailable`.

        A pair that has changed meanwhile is read again by the next turn of the pushes.
        """
        visibility: dict[_Pair, bool] = {}
        for user, others in _grouped(pairs):
            for chunk in _in_parts(list(others.items())):
                asked = dict(chunk)
                changes = {pair: pair.changes for some in asked.values() for pair in some}
                shared = {user} & asked.keys() | await self._fellow_members(user, asked.keys() - {user})
                blocks = await self._blocks_between(user, shared - {user})
                for other, some in asked.items():
                    for pair in some:
                        is_visible = visibility[pair] = other in shared and other not in blocks
                        if pair.changes == changes[pair] and self._is_live(pair):
                            self._set_visible(pair, is_visible, blocked=other in blocks)
        return visibility

    async def _fellow_members(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        return await self._store.fellow_members(user, others) if others else frozenset()

    async def _blocks_between(self, user: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        """Return those of ``others`` who have blocked ``user``, or whom ``user`` has blocked."""
        pairs = [pair for other in others for pair in ((user, other), (other, user))]
        blocks = await self._store.blocks_among(pairs) if pairs else ()
        return frozenset(blocked if blocker == user else blocker for blocker, blocked in blocks)


def _in_parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + USERS_TOGETHER] for start in range(0, len(values), USERS_TOGETHER))


def _grouped(pairs: Iterable[_Pair]) -> Iterable[tuple[UserId, Mapping[UserId, Sequence[_Pair]]]]:
    """Return ``pairs`` by one of their two users, of whom there are fewer, and then by the other."""
    by_watcher: dict[UserId, dict[UserId, list[_Pair]]] = {}
    by_watched: dict[UserId, dict[UserId, list[_Pair]]] = {}
    for pair in pairs:
        watcher, watched = pair.watch.watcher, pair.watched.user
        by_watcher.setdefault(watcher, {}).setdefault(watched, []).append(pair)
        by_watched.setdefault(watched, {}).setdefault(watcher, []).append(pair)
    return min((by_watcher, by_watched), key=len).items()
