"""Checks at the end of a run: logs, answers, recovery, pushes, and the rooms that clients show."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from attrs import evolve as changed

from ...chat import Chat
from ...commands.command import ChangeCommand, Command, ReadingCommand, RoomCommand
from ...commands.history import History
from ...commands.messages import SendMessage
from ...commands.presence import GetPresence
from ...commands.rooms import CreateRoom, GetRoom
from ...domain.blocks import BlockedPair, private_room_pairs
from ...domain.decider import decide
from ...domain.entries import Deleted, Entry
from ...domain.permissions import WRITING
from ...domain.redaction import holds_text_of
from ...domain.state import RoomState
from ...errors import ChatError, Forbidden
from ...ids import Key, RoomId, Seq, UserId, is_room_id, private_room_id
from ...protocol import KINDS, Object, answer_object, entry_object, error_object
from .clients import Client
from .cluster import Cluster
from .processes import Process
from .profile import STRANGER, UNKNOWN_USER
from .read_checker import ANSWER_BYTES_MAX, READ_CHECKS, size_of
from .reference_log import StoredLog, StoredLogs
from .world import NOON, Attempt, PushedEntry, World

COMMAND_TIMEOUT_S = 4.9
"""A queued command fails after 5 s. Part of that time may pass before it is queued."""
RECOVERY_S = 1
"""The contract: within 1 s of the store's return a room carries out commands again."""
SYNC_S = 1
TYPING_SHOWN_S, TYPING_ENDS_S = 1, 7
TYPING_LATE_S = 30
"""Seconds after which a node knows of the removals and blocks by other nodes, whatever its faults."""
TYPED_ROOMS = 10
CLOCK_S = 1e-6
HIDDEN: Object = {"state": "offline"}
ENTRY_FIELDS = ("kind", "title", "peer", "head")
"""The fields of a Room object that entries keep up to date at a client."""

FreshRoom: TypeAlias = tuple[Object, dict[Seq, Object]]
"""A room as a new client reads it: its Room object, and for a member its whole history."""


# Logs.


def check_logs(world: World, logs: StoredLogs) -> None:
    """Check that every entry is the result of a command of its author at the state before it, and is stored unchanged.

    An entry without its text is accepted where the message has been deleted.
    """
    commands = _RoomCommands(world.attempts)
    for log in logs:
        for number, (entry, stored) in enumerate(zip(log.entries, log.stored, strict=True), start=1):
            world.counts[f"kind: {KINDS[type(entry.event)]}"] += 1
            if entry.seq != number:
                world.violation(f"{log.room} has the seq {entry.seq}, expected {number}")
            if stored != log.messages.stored(number, log.head):
                world.violation(f"the store holds {stored}, which was written as {entry}")
            if not any(_writes(log, command, entry) for command in commands.of(entry)):
                world.violation(f"no command writes {entry}")
        if len(log.by_key) != log.head:
            world.violation(f"{log.room} has a key twice")
        _check_private_room(world, log)


def _check_private_room(world: World, log: StoredLog) -> None:
    """Check that two users have one private room: its id follows from the two."""
    state = log.states[-1]
    users = sorted(state.members)
    if state.kind == "private" and log.room != private_room_id(users[0], users[-1]):
        world.violation(f"{log.room} is not the private room of {users}")


class _RoomCommands:
    """The commands of a run that can write an entry."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._by_key: dict[tuple[RoomId, UserId, Key | None], list[RoomCommand[object]]] = {}
        for attempt in attempts:
            command = attempt.command
            if isinstance(command, RoomCommand):
                room = command.room_id(attempt.user, command.key or "")
                commands = self._by_key.setdefault((room, attempt.user, command.key), [])
                if command not in commands:
                    commands.append(command)

    def of(self, entry: Entry) -> Iterator[RoomCommand[object]]:
        """Yield the commands with the room, the author and the key of ``entry``, and those without a key."""
        for key in (entry.key, None):
            yield from self._by_key.get((entry.room, entry.author, key), ())


def _writes(log: StoredLog, command: RoomCommand[object], entry: Entry) -> bool:
    state = log.states[entry.seq - 1]
    facts = log.facts(state, entry.author, command.target, list(command.required_users(state)))
    return decide(state, facts, entry.author, command, entry.key, entry.at) == entry


# Answers.


def check_answers(world: World, logs: StoredLogs) -> None:
    """Check that every answer was right in some state that the room had between command and answer."""
    for attempt in world.attempts:
        if attempt.answer is not None and (wrong := _check_answer(world, attempt, attempt.answer, logs)):
            heads = f"heads {attempt.heads_before} to {attempt.heads_after}"
            world.violation(f"{wrong}: {attempt} -> {attempt.answer} ({heads})")


def _check_answer(world: World, attempt: Attempt, answer: Object, logs: StoredLogs) -> str | None:
    command = attempt.command
    if not answer["ok"] and answer["error"]["temporary"]:
        return _check_temporary_failure(world, attempt, command, answer)
    match command:
        case ChatError():
            return None if answer == _refusal(command) else f"expected {command.code}"
        case RoomCommand():
            return _check_room_answer(world, attempt, command, answer, logs)
        case ReadingCommand():
            if answer["ok"] and size_of(answer) > ANSWER_BYTES_MAX:
                return f"the answer has {size_of(answer)} bytes"
            return READ_CHECKS[command.name](world, attempt, command, answer, logs)
        case _:
            raise TypeError(type(command))


def _check_temporary_failure(
    world: World, attempt: Attempt, command: Command[object] | ChatError, answer: Object
) -> str | None:
    """Check that a command has a reason to fail.

    A command may fail as `internal` only if a port or a callback of the host raised what its contract forbids. A queued
    command may fail as `unavailable` after 5 s, or if the user directory fails, an earlier command failed, or the node
    stops. Over a socket even a refusal is queued behind earlier commands.
    """
    if answer["error"]["code"] == "internal":
        return None if attempt.error_injected or attempt.must_fail_with == "internal" else "internal without a reason"
    writes = isinstance(command, RoomCommand)
    needs_directory = isinstance(command, RoomCommand) and bool(command.required_users(RoomState(room="unborn")))
    if attempt.node_stopped:
        world.tolerate("unavailable: the node stops")
    elif attempt.must_fail_with:
        world.tolerate("unavailable: an earlier command of the socket failed")
    elif isinstance(command, RoomCommand | ChatError) and attempt.took_s > COMMAND_TIMEOUT_S:
        world.tolerate("unavailable: the command was queued for 5 s")
    elif (attempt.port_failed or attempt.error_injected) and (needs_directory or not writes):
        world.tolerate("unavailable: the store, the directory or the authenticator failed")
    else:
        return f"unavailable after {attempt.took_s:.1f} s without a reason"
    return None


def _refusal(error: ChatError) -> Object:
    return {"ok": False, "error": error_object(error)}


def _check_room_answer(
    world: World, attempt: Attempt, command: RoomCommand[object], answer: Object, logs: StoredLogs
) -> str | None:
    log = logs[command.room_id(attempt.user, command.key or "")]
    entry = log.by_key.get((attempt.user, command.key)) if command.key else None
    if not answer["ok"]:
        return _check_refusal(world, log, attempt, command, answer, entry)
    if command.key is None and "seq" in answer:
        entry = _own_entry(log, attempt, answer["seq"])
    if entry is None or (isinstance(command, ChangeCommand) and "seq" not in answer):
        return _check_no_change(world, log, attempt, command, answer, entry)
    if not _may_match(world, log, attempt, command, entry):
        return f"expected key_reused: the key is that of {entry}"
    expected = answer_object(command.answer(entry, duplicate=answer["duplicate"], epoch=answer.get("epoch", "")))
    if answer != {"ok": True, **expected}:
        return f"expected {expected}"
    if answer.get("epoch", world.epoch) not in world.epochs:
        return "the store never had this epoch"
    if not answer["duplicate"] and (wrong := _check_not_blocked(world, attempt, command, log)):
        return wrong
    return _check_duplicate(world, attempt, entry, answer)


def _own_entry(log: StoredLog, attempt: Attempt, seq: Seq) -> Entry | None:
    """Return the entry at ``seq``, if the user of the attempt is its author."""
    entry = log.entries[seq - 1] if seq <= log.head else None
    return entry if entry and entry.author == attempt.user else None


def _may_match(world: World, log: StoredLog, attempt: Attempt, command: RoomCommand[object], entry: Entry) -> bool:
    """Return whether the command may have been taken for a repetition of the one that wrote ``entry``.

    The contract: after a deletion, any content matches.
    """
    if entry.digest == command.digest:
        return True
    redacted_at = log.messages.redacted_at(entry.seq)
    if redacted_at is None or redacted_at > attempt.heads_after.get(log.room, 0):
        return False
    world.tolerate("any content matches the key of a deleted message")
    return True


def _may_be_key_reused(log: StoredLog, attempt: Attempt, command: RoomCommand[object], entry: Entry) -> bool:
    redacted_at = log.messages.redacted_at(entry.seq)
    is_redacted = redacted_at is not None and redacted_at <= attempt.heads_before.get(log.room, 0)
    return not is_redacted and entry.digest != command.digest


def _check_duplicate(world: World, attempt: Attempt, entry: Entry, answer: Object) -> str | None:
    if answer["duplicate"]:
        if world.attempts_by_key.get((attempt.user, entry.key)) == [attempt]:
            return "the first attempt cannot be a duplicate"
        return None if entry.seq <= attempt.heads_after.get(entry.room, 0) else "the entry did not exist yet"
    if entry.seq > attempt.heads_before.get(entry.room, 0):
        return None
    failures = world.reference.unknown_outcomes.get((attempt.process, entry.author, entry.key), ())
    if not any(at >= attempt.started_at and seq <= entry.seq for at, seq in failures):
        return "expected duplicate: the entry existed before"
    world.tolerate("no duplicate: an append of the node with unknown outcome may have written the entry")
    return None


def _check_no_change(
    world: World, log: StoredLog, attempt: Attempt, command: RoomCommand[object], answer: Object, entry: Entry | None
) -> str | None:
    """Check the success of a command that wrote nothing: the room was already as the command wants it."""
    if entry and entry.seq <= attempt.heads_before.get(log.room, 0):
        return f"the key is that of {entry}"
    if any(outcome is None for outcome in _outcomes(world, log, attempt, command)) and "seq" not in answer:
        return None
    return "the log has no such entry"


def _check_refusal(
    world: World,
    log: StoredLog,
    attempt: Attempt,
    command: RoomCommand[object],
    answer: Object,
    entry: Entry | None,
) -> str | None:
    code = answer["error"]["code"]
    is_reused = entry is not None and _may_be_key_reused(log, attempt, command, entry)
    if entry and entry.seq <= attempt.heads_before.get(log.room, 0):
        return None if code == "key_reused" and is_reused else f"the key is that of {entry}"
    if code == "key_reused":
        return None if is_reused else "the key was not used"
    if not is_room_id(log.room) and code == "not_found":
        world.tolerate("not found: the room is not a room id")
        return None
    for outcome in _outcomes(world, log, attempt, command):
        if isinstance(outcome, ChatError) and answer == _refusal(outcome):
            return None
    return "no state of the room refuses this"


def _outcomes(
    world: World, log: StoredLog, attempt: Attempt, command: RoomCommand[object]
) -> Iterator[Entry | ChatError | None]:
    """Yield the result of the command in each state that the room may have had while the node had the command."""
    for state in attempt.states_of(log):
        named = list(command.required_users(state))
        facts = log.facts(state, attempt.user, command.target, named)
        yield decide(state, facts, attempt.user, command, command.key or "", NOON)
        blockers = _possible_blockers(world, attempt, named)
        peers = [other for other, user in private_room_pairs(log.room) if user == attempt.user]
        blocked = frozenset({attempt.user} if _possible_blockers(world, attempt, peers) else ())
        if blockers or blocked:
            facts = changed(facts, blocked_by=frozenset(blockers))
            yield decide(changed(state, blocked=blocked), facts, attempt.user, command, command.key or "", NOON)


def _possible_blockers(world: World, attempt: Attempt, others: Sequence[UserId]) -> Sequence[UserId]:
    """Return those of ``others`` who may have blocked the user while the node had the command."""
    start, end = attempt.started_at, attempt.started_at + attempt.took_s
    return [other for other in others if world.blocks.may_be((other, attempt.user), start, end, on=True)]


def _check_not_blocked(world: World, attempt: Attempt, command: RoomCommand[object], log: StoredLog) -> str | None:
    """Check a command that wrote an entry: no user whose block forbids it had blocked the author all the time.

    A block that another node has made is noticed later, and so is only checked at the end (`check_blocks`).
    """
    attempts = world.attempts_by_key.get((attempt.user, command.key)) if command.key else None
    if attempts not in (None, [attempt]):
        return None  # an earlier attempt may have written the entry, before the block
    if isinstance(command, CreateRoom):
        pairs = [(other, attempt.user) for other in command.members if other != attempt.user]
    elif command.action in WRITING:
        pairs = [pair for pair in private_room_pairs(log.room) if pair[1] == attempt.user]
        pairs = [pair for pair in pairs if world.blocks.made_by(pair, attempt.process, attempt.started_at)]
    else:
        return None
    start, end = attempt.started_at, attempt.started_at + attempt.took_s
    blocking = [pair for pair in pairs if not world.blocks.may_be(pair, start, end, on=False)]
    return f"expected forbidden: {blocking}" if blocking else None


async def check_blocks(world: World, chats: Sequence[Chat]) -> None:
    """Check that every node refuses the messages of users who are certainly blocked."""
    for blocker, user in world.blocks.pairs():
        if user == UNKNOWN_USER or world.blocks.may_be((blocker, user), world.now, world.now, on=False):
            continue
        for chat in chats:
            try:
                sent = await chat.execute(user, SendMessage(to=blocker, body="blocked", key=world.new_id()))
            except Forbidden:
                world.counts["check: a blocked user is refused"] += 1
            else:
                world.violation(f"{user}, whom {blocker} has blocked, sent {sent}")


# Recovery.


def check_recovery(world: World) -> None:
    """Check that commands succeed within 1 s of the store's return, and that none given since the outage fails.

    Where several nodes write to a room, one of them may lose every seq to the others until older commands fail, and
    later commands of their sockets with them.
    """
    writes = [
        (attempt, attempt.started_at + attempt.took_s, attempt.answer["ok"])
        for attempt in world.attempts
        if isinstance(attempt.command, RoomCommand) and attempt.answer is not None
    ]
    for start, end in world.outages:
        for room in dict.fromkeys(attempt.queue_room for attempt, _, _ in writes if start < attempt.started_at < end):
            succeeded = [at for attempt, at, success in writes if attempt.queue_room == room and success]
            if not any(end < at <= end + RECOVERY_S for at in succeeded):
                world.violation(f"{room} did not recover within {RECOVERY_S} s of the store's return at {end:.1f}")
        for attempt, at, success in writes:
            if success or attempt.started_at < start or at < end + RECOVERY_S:
                continue
            is_older = attempt.started_at < end or attempt.must_fail_with  # or it fails with an older one of its socket
            if is_older and world.profile.nodes > 1:
                world.tolerate("unavailable after an outage: the node lost every seq to other nodes")
            else:
                world.violation(f"failed {at - end:.1f} s after the store's return: {attempt}")


# Pushes.


def check_pushes(world: World, logs: StoredLogs) -> None:
    """Check that every pushed entry was durable and went to a member, and that joins were announced to new members."""
    deleted: dict[tuple[Process, RoomId], list[Seq]] = {}
    for pushed in world.pushed:
        entry = pushed.entry
        deletions = deleted.setdefault((pushed.process, entry.room), [])
        if wrong := _check_pushed_entry(world, logs[entry.room], pushed, deletions):
            world.violation(f"{pushed.user} got {entry}: {wrong}")
        if isinstance(entry.event, Deleted) and entry.event.target not in deletions:
            deletions.append(entry.event.target)
    for user, room, seq in sorted(world.announced_joins):
        if not (seq <= logs[room].head and logs[room].states[seq].member(user)):
            world.violation(f"{user} got the push room for {room} at {seq}, where the user does not join")
    for at, user, room, seq in world.announced_invitations:
        inviter, written_at = logs[room].entries[seq - 1].author, world.reference.written_at[room, seq]
        for pair in ((user, inviter), (inviter, user)):
            if not world.blocks.may_be(pair, written_at, at, on=False):
                world.violation(f"{user} got the invitation {room} {seq} in spite of the block {pair}")


def _check_pushed_entry(world: World, log: StoredLog, pushed: PushedEntry, deletions: list[Seq]) -> str | None:
    """Check an entry that a node pushed after it had pushed ``deletions`` of the same room.

    Members get entries, and a former member the entry that ended the membership.
    """
    entry, seq = pushed.entry, pushed.entry.seq
    if seq > log.head or pushed.at < world.reference.written_at[entry.room, seq]:
        return "it was not durable"
    if not log.states[seq].member(pushed.user) and not log.states[seq - 1].member(pushed.user):
        return "the user is not a member"
    if entry == log.messages.stored(seq, log.head):
        return None
    if entry != log.entries[seq - 1]:
        return "it differs from the log"
    if any(holds_text_of(entry, target) for target in deletions):
        return "the node had pushed the deletion of its text"
    return None


# Typing.


def check_pushed_typing(world: World, logs: StoredLogs) -> None:
    """Check that users who were pushed as typing were members, and that no block has been there for long.

    A node may learn late of a removal or block by another node. Its own blocks it knows at once.
    """
    for pushed in world.pushed_typing:
        for typist in pushed.users:
            if not _was_member(world, logs[pushed.room], typist, pushed.at - TYPING_LATE_S):
                world.violation(f"{pushed}: {typist} was not a member")
            for pair in ((typist, pushed.user), (pushed.user, typist)):
                is_own = world.blocks.made_by(pair, pushed.process, pushed.at)
                since = pushed.at - (CLOCK_S if is_own else TYPING_LATE_S)
                if not world.blocks.may_be(pair, since, pushed.at, on=False):
                    world.violation(f"{pushed} in spite of the block {pair}")


def _was_member(world: World, log: StoredLog, user: UserId, since: float) -> bool:
    """Return whether the user was a member in a state that the room may have had at ``since`` or later."""
    return any(
        state.member(user) and (state.head == log.head or world.reference.written_at[log.room, state.head + 1] >= since)
        for state in log.states
    )


async def check_typing(world: World, clients: Sequence[Client], logs: StoredLogs) -> None:
    """Let a member of each of some rooms type. Check that the others show it, and that after 7 s all show nobody.

    A client that loses its connection meanwhile need not show it: its access may end. What clients typed before ends
    first, because a socket may type in `TYPED_ROOMS` rooms at a time.
    """
    await asyncio.sleep(TYPING_ENDS_S)
    connections = {client: client.connection for client in clients if client.connection}
    typing: dict[RoomId, Client] = {}
    for log in logs:
        if len(typing) < TYPED_ROOMS and (
            members := [client for client in connections if log.states[-1].member(client.user)]
        ):
            typing[log.room] = members[0]
    for room, typist in typing.items():
        typist.command("typing", {"room": room, "on": True})
    await asyncio.sleep(TYPING_SHOWN_S)
    connected = [client for client, connection in connections.items() if client.connection is connection]
    for room, typist in typing.items():
        members = [client for client in connected if logs[room].states[-1].member(client.user)]
        for client in members if typist in connected else ():
            _check_shown(world, client, typist.user, room)
    await asyncio.sleep(TYPING_ENDS_S)
    for client in clients:
        if any(client.typists.values()):
            world.violation(f"{client.device} shows {client.typists}, though nobody types")


def _check_shown(world: World, client: Client, typist: UserId, room: RoomId) -> None:
    pairs = (client.user, typist), (typist, client.user)
    shows = typist in client.typists.get(room, ())
    is_own = client.user == typist
    if is_own and shows:
        world.violation(f"{client.device} shows its own user typing in {room}")
    if not (is_own or shows or any(_may_hide(world, pair) for pair in pairs)):
        world.violation(f"{client.device} shows {client.typists.get(room)}, while {typist} types in {room}")
    world.counts["check: typing is shown"] += shows


def _may_hide(world: World, pair: BlockedPair) -> bool:
    """Return whether there may be a block, or one that ended so late that a node may still know it."""
    return world.blocks.may_be(pair, world.now - TYPING_LATE_S, world.now, on=True)


# Clients.


async def check_clients(world: World, chat: Chat, clients: Sequence[Client], logs: StoredLogs) -> None:
    """Check that clients that are online show what the store holds.

    Markers are checked after one more `sync`, since a lost hint of a marker is not sent again.
    """
    online = [client for client in clients if client.wants_online]
    for client in online:
        for number, data in client.pending.items():
            world.violation(f"{client.user} has no answer of {number}: {data}")
    fresh = {user: await _read_rooms(world, chat, user, logs) for user in dict.fromkeys(c.user for c in online)}
    for client in online:
        _check_client(world, client, fresh[client.user], logs)
        if _rooms_with_other_markers(client, fresh[client.user]):
            world.tolerate("a marker differs until the next sync: its hint may have been lost")
        client.sync([])
    await asyncio.sleep(SYNC_S)
    for client in online:
        for room in _rooms_with_other_markers(client, fresh[client.user]):
            shown, expected = client.rooms[room].fields, fresh[client.user][room][0]
            world.violation(f"{client.device} shows {room} as {shown}, expected {expected}")


async def _read_rooms(world: World, chat: Chat, user: UserId, logs: StoredLogs) -> Mapping[RoomId, FreshRoom]:
    """Read every room of a user as a new client does."""
    rooms: dict[RoomId, FreshRoom] = {}
    for log in logs:
        member = log.states[-1].members.get(user)
        if member and member.state != "banned":
            room = answer_object(await chat.execute(user, GetRoom(room=log.room)))
            history = await _read_history(chat, user, log.room) if member.state == "member" else {}
            rooms[log.room] = room, history
            if history and history != _expected_history(log, user):
                world.violation(f"the history of {log.room} differs from its log")
    return rooms


def _expected_history(log: StoredLog, user: UserId) -> dict[Seq, Object]:
    seqs = range(1, log.head + 1)
    return {seq: entry_object(log.messages.presented(seq, log.head, user)) for seq in seqs}


async def _read_history(chat: Chat, user: UserId, room: RoomId) -> dict[Seq, Object]:
    """Page through the whole history of a room."""
    history: dict[Seq, Object] = {}
    anchor: Seq | str = "oldest"
    while True:
        page = await chat.execute(user, History(room=room, anchor=anchor, after=150))
        history.update((entry.seq, entry_object(entry)) for entry in page.entries)
        if not page.has_after:
            return history
        anchor = page.entries[-1].seq


def _check_client(world: World, client: Client, fresh: Mapping[RoomId, FreshRoom], logs: StoredLogs) -> None:
    for name in sorted(fresh.keys() ^ client.rooms.keys()):
        if name in fresh and _may_be_hidden(world, client.user, logs[name]):
            world.tolerate("an invitation between users of whom one has blocked the other is not pushed")
            continue
        shown = client.rooms[name].fields if name in client.rooms else "nothing"
        world.violation(f"{client.device} shows {name} as {shown}, expected {fresh.get(name, 'nothing')}")
    for name in sorted(fresh.keys() & client.rooms.keys()):
        room, history = fresh[name]
        shown_room, shown_history = client.rooms[name].fields, client.rooms[name].history()
        if shown_history != history:
            world.violation(f"{client.device} shows the history of {name} as {shown_history}, expected {history}")
        if history and "kind" not in shown_room:
            world.tolerate("a client knows a room from a sync alone, which has no kind and no title")
        elif history and any(shown_room.get(field) != room.get(field) for field in ENTRY_FIELDS):
            world.violation(f"{client.device} shows {name} as {shown_room}, expected {room}")
        if [shown_room["me"][field] for field in ("role", "state")] != [
            room["me"][field] for field in ("role", "state")
        ]:
            world.violation(f"{client.device} shows me in {name} as {shown_room['me']}, expected {room['me']}")


async def check_presence(world: World, cluster: Cluster, clients: Sequence[Client], logs: StoredLogs) -> None:
    """Check that every node, and every client that watches, shows who is online."""
    connections = [connection for node in cluster.running for connection in node.connections]
    away = {user: [c.away for c in connections if c.user == user] for user in (*world.users, STRANGER)}
    for watcher in away:
        users = [user for user in away if _visible_at_end(world, watcher, user, logs) is not None]
        hidden = [user for user in users if not _visible_at_end(world, watcher, user, logs)]
        answers = [
            answer_object(await node.chat.execute(watcher, GetPresence(users=users)))["presence"]
            for node in cluster.running
        ]
        for user in users:
            state = "offline" if user in hidden or not away[user] else "away" if all(away[user]) else "online"
            expected = [answer[user] for answer in answers]
            if {shown["state"] for shown in expected} != {state} or (user in hidden and expected[0] != HIDDEN):
                world.violation(f"{watcher} is shown {user} as {expected}, expected {state}")
            if any(shown != expected[0] for shown in expected):
                world.violation(f"nodes show {user} to {watcher} differently: {expected}")
            for client in clients:
                if client.user == watcher and client.watched.get(user, expected[0]) != expected[0]:
                    world.violation(f"{client.device} shows {user} as {client.watched[user]}, expected {expected[0]}")
                world.counts["presence: compared"] += client.user == watcher and user in client.watched


def _visible_at_end(world: World, watcher: UserId, user: UserId, logs: StoredLogs) -> bool | None:
    """Return whether a user sees another one at the end of a run; None if a block may have been made or not."""
    pairs = (watcher, user), (user, watcher)
    may_be_blocked = any(world.blocks.may_be(pair, world.now, world.now, on=True) for pair in pairs)
    may_be_free = all(world.blocks.may_be(pair, world.now, world.now, on=False) for pair in pairs)
    if watcher == user:
        return True
    if not any(log.states[-1].member(watcher) and log.states[-1].member(user) for log in logs):
        return False
    return None if may_be_blocked and may_be_free else may_be_free


def _may_be_hidden(world: World, user: UserId, log: StoredLog) -> bool:
    """Return whether the user is invited, and a block may have kept the invitation from the user's clients."""
    member = log.states[-1].members[user]
    if member.state != "invited":
        return False
    inviter, written_at = log.entries[member.since - 1].author, world.reference.written_at[log.room, member.since]
    pairs = (user, inviter), (inviter, user)
    return any(world.blocks.may_be(pair, written_at, world.now, on=True) for pair in pairs)


def _rooms_with_other_markers(client: Client, fresh: Mapping[RoomId, FreshRoom]) -> list[RoomId]:
    """Return the rooms for which a client shows other markers than the store holds."""
    differing: list[RoomId] = []
    for name in sorted(fresh.keys() & client.rooms.keys()):
        shown, (room, _) = client.rooms[name].fields, fresh[name]
        if (shown["me"], shown.get("markers")) != (room["me"], room.get("markers")):
            differing.append(name)
    return differing
