"""The clients of a run: devices with connections that break, the rooms that they show, and callers without a socket."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from ...errors import ChatError, Internal
from ...ids import RoomId, Seq, UserId
from ...protocol import Object, answer_object, error_object, read_command
from ...replica import (
    Effects,
    Entries,
    Forget,
    Missed,
    Replica,
    RoomFields,
    SendCommand,
    Settled,
    Timeline,
    Typists,
    Wait,
)
from .cluster import RETRY_S, Cluster, Node
from .connection import Frame, SimulatedConnection
from .profile import InjectedError
from .reference_log import POSITIONS
from .world import Attempt, World


class Client:
    """One device of a user. It follows the rules of `chatcore.replica`."""

    def __init__(self, world: World, cluster: Cluster, user: UserId, device: str, session: str) -> None:
        self.user = user
        self.device = device
        self.session = session
        self.access_s: float | None = None
        """Seconds after which the access of its next connections ends, if it does."""
        self.wants_online: bool = False
        self.connection: SimulatedConnection | None = None
        self.replica: Replica = Replica(user, page=world.random.choice((3, 20, 100)))
        self.rooms: dict[RoomId, ClientRoom] = {}
        """The rooms as the device shows them."""
        self.typists: dict[RoomId, Sequence[UserId]] = {}
        """The users whom the device shows as typing, by room."""
        self.pending: dict[int, Object] = {}
        """The commands without an answer, by their number."""
        self.watched: dict[UserId, Object] = {}
        """What the device shows of the users whose presence it watches."""
        self._watching: set[int] = set()
        """The numbers of the commands that watch users."""
        self._world = world
        self._cluster = cluster

    @property
    def online(self) -> bool:
        return self.connection is not None

    def go_online(self) -> None:
        """Connect, and from now on connect again after every break."""
        self.wants_online = True
        self._connect()

    def go_offline(self) -> None:
        """Disconnect, and stay offline from now on."""
        self.wants_online = False
        if self.connection:
            self._cluster.disconnect(self.connection, noticed_at_once=False)
            self._disconnected()

    def disconnect(self, *, half_open: bool) -> None:
        """Break the connection. With ``half_open`` the node does not notice it for a while."""
        if self.connection:
            self._cluster.disconnect(self.connection, noticed_at_once=not half_open)
            self._disconnected()

    def retry_now(self) -> None:
        """Make pending retries at once. Replace a connection if its access ends soon."""
        if self.connection and self.connection.access_s:
            self.disconnect(half_open=False)
        if self.connection is None:
            self._connect()
        else:
            self._apply(self.replica.retry())

    def command(self, name: str, data: Object) -> None:
        """Give a command."""
        number, effects = self.replica.send(name, data)
        self.pending[number] = data
        if name == "presence":
            self._watching.add(number)
        self._apply(effects)

    def sync(self, rooms: list[RoomId]) -> None:
        """Send a `sync` without a break before it: of ``rooms``, known or not, or of all rooms if empty."""
        if self.connection:
            self._apply(self.replica.sync(rooms))

    def _connect(self) -> None:
        if self.connection or not self.wants_online:
            return
        connection = self._cluster.connect(self.user, self.device, self.session, self._receive, self.access_s)
        if connection is None:
            self._connect_later()
            return
        self.connection = connection
        self._world.trace("%s connects as %s", self.device, connection.id)
        self._apply(self.replica.connected())

    def _connect_later(self) -> None:
        self._world.call_later(self._world.random.uniform(0, 1), self._connect)

    def _receive(self, connection: SimulatedConnection, frame: Frame) -> None:
        """Handle a frame from the node, unless it comes from an earlier connection."""
        if connection is not self.connection:
            return
        match frame:
            case ("nothing",) | ("push", "bye", _):
                pass
            case ("push", event, body):
                if event == "marker" and body["room"] in self.rooms:
                    self.rooms[body["room"]].apply_marker(body)
                elif event == "presence":
                    self._presence_pushed(body)
                self._apply(self.replica.pushed(event, body))
            case ("answer", number, answer):
                if number in self._watching and answer["ok"]:
                    self.watched = dict(answer["presence"])
                self._apply(self.replica.answered(number, answer))
            case _:
                self._disconnected()

    def _disconnected(self) -> None:
        if self.connection is None:
            return
        self._world.trace("%s has lost %s", self.device, self.connection.id)
        self.connection.cut()
        self.connection = None
        self.watched = {}
        self._apply(self.replica.disconnected())
        if self.wants_online:
            self._connect_later()

    def _apply(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case SendCommand():
                    if self.connection:
                        self.connection.send_command(effect.number, effect.event, effect.data)
                case Entries():
                    self._add_entries(effect)
                case Forget():
                    self.rooms.pop(effect.room, None)
                    self.typists.pop(effect.room, None)
                case Missed():
                    self._world.violation(f"{self.user} did not get {effect.room} {effect.first} to {effect.last}")
                case RoomFields(fields={"me": _}):
                    self._room(effect.room).update(effect.fields)
                case Typists():
                    self.typists[effect.room] = effect.users
                case Settled():
                    self.pending.pop(effect.number, None)
                case Wait():
                    seconds = effect.ms / 1000 * self._world.random.uniform(0.5, 1)
                    self._world.call_later(seconds, self._retry, self.connection)
                case _:
                    pass

    def _presence_pushed(self, body: Object) -> None:
        user = body["user"]
        pushed = {name: value for name, value in body.items() if name != "user"}
        if user not in self.watched:
            self._world.violation(f"{self.device} got the presence of {user}, whom it does not watch")
        elif pushed == self.watched[user]:
            self._world.violation(f"{self.device} got {pushed} of {user} twice")
        self.watched[user] = pushed

    def _retry(self, connection: SimulatedConnection | None) -> None:
        if connection is self.connection:
            self._apply(self.replica.retry())

    def _add_entries(self, entries: Entries) -> None:
        for seq in self._room(entries.room).add_entries(entries):
            self._world.violation(f"{self.user} got {entries.room} {seq} twice")

    def _room(self, room: RoomId) -> "ClientRoom":
        return self.rooms.setdefault(room, ClientRoom(self.user))


class ClientRoom:
    """A room as a client shows it. Later entries keep it up to date, as ``docs/protocol.md`` says.

    ``fields`` are the fields of the Room object.
    """

    def __init__(self, user: UserId) -> None:
        self.fields: Object = {}
        self._user = user
        self._timeline = Timeline()
        self._entries: dict[Seq, Object] = {}
        self._title_head: Seq = 0
        """The head of the last Room object that had a title. The answer of a `sync` has none."""

    def add_entries(self, entries: Entries) -> set[Seq]:
        """Add entries. Returns the seqs that the client had already."""
        by_seq = {entry["seq"]: entry for entry in entries.entries}
        duplicates = by_seq.keys() & self._entries.keys()
        self._entries |= by_seq
        self._timeline.take(entries)
        self._apply_entries()
        return duplicates

    def update(self, fields: Object) -> None:
        """Take over the fields of a Room object. Its head may be older than the client's.

        The contract: `read` and `delivered` never decrease, in whatever order answers and pushes arrive.
        """
        before = self.fields
        self.fields = {**before, **fields}
        if "kind" in fields:
            self._title_head = fields["head"]
        if "me" in fields:
            self.fields["me"] = _later_marker(fields["me"], before.get("me", {}))
        if "markers" in fields:
            known = before.get("markers", {})
            self.fields["markers"] = {
                user: _later_marker(marker, known.get(user, {})) for user, marker in fields["markers"].items()
            }
        self._apply_entries()

    def apply_marker(self, marker: Object) -> None:
        """Apply the push `marker`."""
        if marker["user"] == self._user and "me" in self.fields:
            self.fields["me"] = _later_marker(self.fields["me"], marker)
        markers = self.fields.get("markers", {})
        if marker["user"] in markers:
            markers[marker["user"]] = _later_marker(markers[marker["user"]], marker)

    def history(self) -> dict[Seq, Object]:
        """Return the entries, with messages in their present state."""
        return self._timeline.present()

    def _apply_entries(self) -> None:
        """Apply the entries above the room's head."""
        for seq in sorted(self._entries):
            if seq > self.fields.get("head", seq):
                _apply_entry(self.fields, self._user, self._entries[seq])
        titles = {seq: entry["title"] for seq, entry in self._entries.items() if entry["kind"] == "updated"}
        newest = max(titles, default=0)
        if newest > self._title_head:  # the entry may have been paged after a `sync` that answered `gap`
            self.fields["title"] = titles[newest]


def _apply_entry(fields: Object, user: UserId, entry: Object) -> None:
    """Change the fields of a Room object by an entry above its head."""
    fields["head"] = entry["seq"]
    markers = fields.get("markers", {})
    match entry["kind"]:
        case "updated":
            fields["title"] = entry["title"]
        case "role" if entry["user"] == user:
            fields["me"]["role"] = entry["role"]
        case "joined":
            markers[entry["user"]] = dict.fromkeys(POSITIONS, entry["seq"])
        case "left" | "removed" | "banned":
            markers.pop(entry["user"], None)
        case _:
            pass


def _later_marker(marker: Object, other: Mapping[str, Any]) -> Object:
    """Return ``marker`` with the later of both positions. An invited user has no positions."""
    return marker | {name: max(marker[name], other.get(name, 0)) for name in POSITIONS if name in marker}


class Caller:
    """A command through `Chat.execute`, without a socket, as a host or an HTTP request gives it.

    It is repeated with its key, at any node, until its answer is not temporary.

    Args:
        on_success: Called with the answer if the command succeeds.
    """

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        user: UserId,
        name: str,
        data: Object,
        on_success: Callable[[Object], None] | None = None,
    ) -> None:
        self.finished: anyio.Event = anyio.Event()
        """Set once no further attempt is made."""
        self._world = world
        self._cluster = cluster
        self._user = user
        self._name = name
        self._data = data
        self._on_success = on_success

    def __repr__(self) -> str:
        return f"{self._user}: {self._name} {self._data}"

    def try_at(self, node: Node | None) -> None:
        """Make an attempt at ``node``; later and elsewhere if it is None."""
        if node is None:
            self._retry_later()
            return
        attempt = self._world.start_attempt(self._user, self._name, self._data, node.process, over_socket=False)
        task = node.process.start(self._execute(node, attempt))
        task.add_done_callback(lambda _: self._ended(attempt))
        if self._world.faults.occurs("caller: cancelled"):
            self._world.call_later(self._world.random.choice((0, self._world.delay(), 1)), task.cancel)

    async def _execute(self, node: Node, attempt: Attempt) -> None:
        world = self._world
        try:
            command = read_command(self._name, self._data)
            executing = node.chat.execute(self._user, command)
            answer = await world.cancellation.run(f"execute: {self._name}", executing)
        except ChatError as error:
            world.end_attempt(attempt, {"ok": False, "error": error_object(error)})
        except InjectedError:
            world.end_attempt(attempt, {"ok": False, "error": error_object(Internal())})  # as a transport answers
        else:
            world.end_attempt(attempt, {"ok": True, **answer_object(answer)})

    def _ended(self, attempt: Attempt) -> None:
        answer = attempt.answer
        if answer is None or (not answer["ok"] and answer["error"]["temporary"]):
            if attempt.key is None:
                self._world.tolerate("a caller gives up a command without a key")
                self.finished.set()
            else:
                self._retry_later()
            return
        self.finished.set()
        if answer["ok"] and self._on_success:
            self._on_success(answer)

    def _retry_later(self) -> None:
        self._world.call_later(self._world.random.uniform(*RETRY_S), self._retry)

    def _retry(self) -> None:
        self.try_at(self._cluster.any_node())
