"""Laws of a client's state: whatever breaks, and in whatever order frames arrive, it shows the log of the store."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatcore import BanUser, CreateRoom, InviteUser, JoinRoom, LeaveRoom, RemoveUser, SendMessage, UpdateRoom
from chatcore.commands.command import RoomCommand
from chatcore.ids import RoomId, UserId
from chatcore.protocol import Object
from chatcore.replica.timeline import CHANGES
from tests.unit.client_world import World
from tests.unit.replica_talk import ROOM, actions, many

Step = tuple[str, Any]

network = st.tuples(st.sampled_from(["serve", "serve", "arrive", "arrive", "arrive", "refuse", "wake"]), st.just(0))
breaks = st.tuples(st.sampled_from(["lose", "connect", "restart"]), st.just(0))
own = st.tuples(st.sampled_from(["send", "send", "open", "mark"]), st.just(0))
older = st.tuples(st.just("more"), st.integers(1, 5))

GROUP = CreateRoom(kind="group", title="Tea", key="tea").room_id("bob", "tea")
group_commands = st.sampled_from(
    [
        ("bob", InviteUser(room=GROUP, user="alice")),
        ("alice", JoinRoom(room=GROUP)),
        ("alice", LeaveRoom(room=GROUP)),
        ("bob", RemoveUser(room=GROUP, user="alice")),
        ("bob", BanUser(room=GROUP, user="alice")),
        ("bob", UpdateRoom(room=GROUP, title="Cake")),
        ("bob", SendMessage(room=GROUP, body="said", key="said")),
        ("bob", SendMessage(room=GROUP, body="said again", key="again")),
    ]
)


class Run:
    """One run of steps in a world. It looks at what the client shows after each of them."""

    def __init__(self, gap_above: int, room: RoomId = ROOM) -> None:
        self.world = World(gap_above, kept_entries=2 * gap_above)
        self.room = room
        self.sent: list[str] = []

    def take(self, name: str, argument: Any) -> None:
        world = self.world
        match name:
            case "send":
                self.sent.append(world.send(f"own {len(self.sent)}", room=self.room))
            case "open":
                world.open(self.room)
            case "more":
                world.take(world.client.more(self.room, count=argument))
            case "mark":
                world.take(world.client.mark(self.room, self.head()))
            case "connect":
                if not world.online:
                    world.connect()
            case "serve" | "arrive" | "refuse" | "wake" | "lose" | "restart":
                getattr(world, name)()
            case _:
                command: RoomCommand[Any] = argument
                world.do(name, command)
        self.check()

    def head(self) -> int:
        projection = self.world.server.rooms.get(self.room)
        return projection.state.head if projection else 0

    def check(self) -> None:
        """Messages are in order, none twice, without a gap, and none that the server did not store."""
        shown = self.world.client.messages(self.room)
        seqs = [message["seq"] for message in shown if message["state"] == "sent"]
        keys = [key for message in shown if message["author"] == "alice" and (key := message.get("key"))]
        assert len(keys) == len(set(keys))
        assert len(seqs) == len(set(seqs))
        if self.room in self.world.server.rooms and seqs:
            log = self.world.server.log("alice", self.room)
            last = [message["state"] for message in shown].count("sent")
            assert all(message["state"] != "sent" for message in shown[last:]) or "key" in shown[-1]
            entries = [seq for seq in range(min(seqs), max(seqs) + 1) if log[seq]["kind"] not in CHANGES]
            acknowledged = set(entries) - set(seqs)
            assert seqs == sorted(seqs)
            # Between an answer and its push, earlier entries of others may still be on their way.
            assert not acknowledged or max(acknowledged) > max(set(seqs) - self._answered(shown), default=0)

    def _answered(self, shown: Any) -> set[int]:
        return {message["seq"] for message in shown if message["state"] == "sent" and message["author"] == "alice"}

    def end(self) -> None:
        """Let everything arrive, read the whole room, and compare."""
        world = self.world
        world.settle()
        world.open(self.room)
        world.settle()
        for _ in range(200):
            loaded = world.client.loaded(self.room)
            assert loaded is not None
            if not loaded:
                break
            world.take(world.client.more(self.room, count=5))
            world.settle()
        self.check()
        shown = world.client.messages(self.room)
        unsent = {message["key"]: message["state"] for message in shown if message["state"] != "sent"}
        assert unsent == dict.fromkeys(self.failed(), "failed")
        is_member = self.room in world.server.rooms and "alice" in world.server.rooms[self.room].members
        log = world.server.log("alice", self.room) if is_member else {}
        expected = [{**entry, "state": "sent"} for entry in log.values() if entry["kind"] not in CHANGES]
        assert [message for message in shown if message["state"] == "sent"] == expected
        self._check_own()
        self._check_info(is_member=is_member)

    def failed(self) -> set[str]:
        return {key for key, item in self.world.kept.items() if "error" in item}

    def _check_own(self) -> None:
        """Every message that `send` took is stored once, in the order of `send`, unless it was refused."""
        entries = self.world.server.rooms[self.room].entries if self.room in self.world.server.rooms else []
        stored = [key for entry in entries if entry.author == "alice" and (key := entry.key) in self.sent]
        assert len(stored) == len(set(stored))
        assert set(stored) == set(self.sent) - self.failed()
        assert stored == [key for key in self.sent if key in stored]
        assert set(self.world.kept) == self.failed()

    def _check_info(self, *, is_member: bool) -> None:
        info = self.world.client.info(self.room)
        if not is_member:
            assert info is None or info["me"]["state"] == "invited"
            return
        assert info is not None
        expected = self.world.server.shown("alice", self.room)
        read = max(info["me"]["read"], expected["me"]["read"])
        assert _without_markers(info, read) == _without_markers(expected, read)


def _without_markers(info: Object, read: int) -> Object:
    """Return a Room without what `mark` changes, which the server of these tests refuses."""
    last = {name: value for name, value in info["last"].items() if name in ("seq", "kind", "author")}
    return {**info, "markers": None, "last": last, "me": {**info["me"], "read": read, "delivered": read}}


def play(steps: list[Step], run: Run) -> None:
    for name, argument in steps:
        run.take(name, argument)
    run.end()


sizes = st.integers(1, 4)


@given(many(actions, network, network, own, older, breaks), sizes)
def test_client_shows_the_log_of_the_store_whatever_breaks(steps: list[Step], gap_above: int) -> None:
    play([("alice", SendMessage(to="bob", body="first", key="first")), ("connect", 0), *steps], Run(gap_above))


@given(many(group_commands, network, network, own, breaks), sizes)
def test_client_shows_the_log_of_a_group_it_joins_and_leaves(steps: list[Step], gap_above: int) -> None:
    create: tuple[UserId, Any] = ("bob", CreateRoom(kind="group", title="Tea", key="tea"))
    play([create, ("connect", 0), *steps], Run(gap_above, GROUP))
