"""The invariants of one socket: the pushes that it gets, and the order in which its commands are answered."""

from collections.abc import Sequence

from ...domain.entries import Banned, Entry, Left, Removed
from ...domain.state import MARKERS_SHOWN_TO
from ...ids import RoomId, Seq, UserId
from ...ports.pushes import MarkerPush, Push, Ready, Room, RoomGone, TypingPush
from ...protocol import Object
from .processes import Process
from .world import Attempt, PushedEntry, PushedTyping, World

TYPING_INTERVAL_S = 0.5
TYPING_SHOWN_MAX = 5
CLOCK_S = 1e-6


class SocketInvariants:
    """Checks the pushes and answers of one socket as they are sent.

    Every pushed entry is noted in ``world.pushed``: the checks at the end compare it with the log.
    """

    def __init__(self, world: World, process: Process, user: UserId, socket: str) -> None:
        self.unanswered: list[Attempt] = []
        """The commands without an answer, in the order in which they were received."""
        self.missing_gone: set[RoomId] = set()
        """Rooms with a last pushed entry that ended the user's membership: `room.gone` must follow."""
        self._world = world
        self._process = process
        self._user = user
        self._socket = socket
        self._is_ready = False
        self._ready_is_complete = True
        """Whether `ready` listed every room of the user. If not, a first push is accepted from any room."""
        self._next: dict[RoomId, Seq] = {}
        """The seq that must be pushed next, by room."""
        self._invited: set[RoomId] = set()

    def command_received(self, attempt: Attempt) -> None:
        self.unanswered.append(attempt)

    def answer_sent(self, attempt: Attempt, answer: Object) -> None:
        self._check_order(attempt)
        later = self.unanswered[self.unanswered.index(attempt) + 1 :]
        self.unanswered.remove(attempt)
        self._check_failure(attempt, answer, later)
        if attempt.name == "sync" and answer["ok"]:
            self._sync_answered(answer)

    def ready_pushed(self, ready: Ready) -> None:
        if self._is_ready:
            self._violation("got ready twice")
        self._is_ready = True
        self._ready_is_complete = ready.next is None
        for room in ready.rooms:
            if room.state == "member":
                self._next[room.view.room] = room.view.head + 1
            else:
                self._invited.add(room.view.room)

    def entry_pushed(self, entry: Entry) -> None:
        self._check_ready(f"entry {entry.room} {entry.seq}")
        expected = self._next.get(entry.room)
        if expected is None and not self._ready_is_complete:
            self._world.tolerate("the first push of a room that `ready` does not list may have any seq")
        elif expected != entry.seq:
            self._violation(f"got {entry.room} {entry.seq}, expected {expected}")
        self._next[entry.room] = entry.seq + 1
        self._world.pushed.append(PushedEntry(self._world.now, self._process, self._user, entry))
        match entry.event:
            case Left(user=user) | Removed(user=user) | Banned(user=user) if user == self._user:
                self._next.pop(entry.room, None)
                self.missing_gone.add(entry.room)
            case _:
                pass
        self._check_answered_first(entry)

    def other_pushed(self, push: Push) -> None:
        self._check_ready(push.event)
        match push.body:
            case Room() as room:
                self._room_pushed(room)
            case RoomGone(room=gone):
                self._gone_pushed(gone)
            case MarkerPush() as moved:
                self._marker_pushed(moved)
            case TypingPush() as typing:
                self._typing_pushed(typing)
            case _:
                pass

    def _room_pushed(self, pushed: Room) -> None:
        room, head = pushed.view.room, pushed.announced_at
        if room in self._next:
            self._violation(f"got the push room again for {room}, at {head}")
        if head is None:
            self._invited.add(room)
            if pushed.view.member:
                invitation = self._world.now, self._user, room, pushed.view.member.since
                self._world.announced_invitations.append(invitation)
            return
        self._invited.discard(room)
        self._next[room] = head + 1
        self._world.announced_joins.add((self._user, room, head + 1))

    def _gone_pushed(self, room: RoomId) -> None:
        """The contract: `room.gone` follows the entry that ends a membership. It alone ends an invitation."""
        if self._ready_is_complete and room not in self.missing_gone | self._invited:
            self._violation(f"got room.gone for {room}, which this socket does not know")
        self.missing_gone.discard(room)
        self._invited.discard(room)

    def _marker_pushed(self, moved: MarkerPush) -> None:
        if self._ready_is_complete and moved.room not in self._next:
            self._violation(f"got {moved} for a room to which it is not subscribed")
        if moved.user != self._user and self._world.reference.states[moved.room].count() > 2 * MARKERS_SHOWN_TO:
            self._violation(f"got {moved} of another user in a large room")
        if moved.unread is not None and moved.user != self._user:
            self._violation(f"got the unread count of another user: {moved}")

    def _typing_pushed(self, typing: TypingPush) -> None:
        """The contract: at most 5 users, never the own one; a node pushes once per room and 500 ms, to all sockets."""
        world, users = self._world, list(typing.users)
        if self._ready_is_complete and typing.room not in self._next:
            self._violation(f"got {typing} for a room to which it is not subscribed")
        if len(users) > TYPING_SHOWN_MAX or len(users) != len(set(users)) or self._user in users:
            self._violation(f"got {typing}")
        last = world.typing_pushed_at.get((self._process, typing.room))
        if last is not None and CLOCK_S < world.now - last < TYPING_INTERVAL_S - CLOCK_S:
            self._violation(f"got {typing} {world.now - last:.3f} s after the last push of who types there")
        world.typing_pushed_at[self._process, typing.room] = world.now
        world.pushed_typing.append(PushedTyping(world.now, self._process, self._user, typing.room, users))
        world.counts["push: somebody types" if users else "push: nobody types"] += 1

    def _sync_answered(self, answer: Object) -> None:
        """After the answer of a `sync`, each of its rooms continues above the head in the answer."""
        for room, synced in answer["rooms"].items():
            if synced["status"] == "gone":
                self._next.pop(room, None)
            else:
                self._next[room] = synced["head"] + 1
                self._invited.discard(room)

    def _check_ready(self, pushed: str) -> None:
        if not self._is_ready:
            self._violation(f"got {pushed} before ready")

    def _check_order(self, attempt: Attempt) -> None:
        """The contract: the commands of one socket to one room are answered in order."""
        if attempt.queue_room is None:
            return
        if attempt.error_injected and not attempt.queued:
            self._world.tolerate("internal at once: `canonical` raised, so the room of the command is unknown")
            return
        first = next(waiting for waiting in self.unanswered if waiting.queue_room == attempt.queue_room)
        if first is not attempt:
            self._world.violation(f"answered out of order: {attempt}, before {first}")

    def _check_failure(self, attempt: Attempt, answer: Object, later: Sequence[Attempt]) -> None:
        """The contract: after a temporary failure, commands of the same socket and room that were already received
        fail with the same code."""
        code = None if answer["ok"] else str(answer["error"]["code"])
        if attempt.must_fail_with and code != attempt.must_fail_with:
            self._world.violation(
                f"an earlier command failed with {attempt.must_fail_with}, but this did not: {attempt} -> {answer}"
            )
        if attempt.queue_room is None or answer["ok"] or not answer["error"]["temporary"]:
            return
        for waiting in later:
            if waiting.queued and waiting.queue_room == attempt.queue_room:
                waiting.must_fail_with = waiting.must_fail_with or code

    def _check_answered_first(self, entry: Entry) -> None:
        """The contract: the sending socket gets a command's answer before the entry that the command writes."""
        if entry.author != self._user:
            return
        attempts = self._world.attempts_by_key.get((entry.author, entry.key), ())
        waiting = [attempt for attempt in attempts if attempt.answer is None and attempt in self.unanswered]
        if waiting and len(attempts) > 1:
            self._world.tolerate("an entry is pushed before the answer: another attempt may have written it")
        elif waiting:
            self._world.violation(f"entry {entry.room} {entry.seq} was pushed before the answer of {waiting[0]}")

    def _violation(self, text: str) -> None:
        self._world.violation(f"{self._user} ({self._socket}) {text}")
