"""What a transcript is written with: its steps, and the objects of the contract in them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from attrs import define, field

Object: TypeAlias = dict[str, Any]
Write: TypeAlias = "Callable[[Story], None]"

BOB = "pvt-alice-bob"
CAROL = "pvt-alice-carol"
DAVE = "pvt-alice-dave"
TEA = "room-" + 26 * "t"
CAKE = "room-" + 26 * "c"
LAWN = "room-" + 26 * "l"
EPOCH = "epoch-1"


# Objects of the contract.


def at(minute: int) -> str:
    """Return a time that grows with ``minute``."""
    return f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00.000Z"


def entry(room: str, seq: int, kind: str, author: str, *, minute: int | None = None, **fields: Any) -> Object:
    written = at(seq if minute is None else minute)
    return {"room": room, "seq": seq, "kind": kind, "author": author, "at": written, **fields}


def message(room: str, seq: int, author: str, body: str, **fields: Any) -> Object:
    """Return the entry of a message; by default with a key of its author's own."""
    known: Object = {"key": f"{author}-key-{seq}", "body": body, "version": 1}
    return entry(room, seq, "message", author, **known | fields)


def messages(room: str, first: int, last: int, author: str = "bob") -> Sequence[Object]:
    return [message(room, seq, author, f"message {seq}") for seq in range(first, last + 1)]


def shown(*seqs: int) -> Sequence[Object]:
    """Return what a room shows of `messages`."""
    return [{"seq": seq, "body": f"message {seq}", "state": "sent"} for seq in seqs]


def edited(room: str, seq: int, target: int, body: str, version: int = 2, author: str = "bob") -> Object:
    return entry(room, seq, "edited", author, target=target, body=body, version=version)


def deleted(room: str, seq: int, target: int, author: str = "bob") -> Object:
    return entry(room, seq, "deleted", author, target=target)


def reacted(room: str, seq: int, target: int, emoji: str, *, on: bool = True, author: str = "bob") -> Object:
    return entry(room, seq, "reacted", author, target=target, emoji=emoji, on=on)


def stub(room: str, seq: int, author: str, version: int = 1) -> Object:
    """Return a deleted message as `history` and `sync` show it."""
    return entry(room, seq, "message", author, key=f"{author}-key-{seq}", version=version, deleted=True)


def me(read: int = 0, unread: int = 0, **fields: Any) -> Object:
    known = {"role": "member", "state": "member", "read": read, "delivered": read, "unread": unread, "muted": False}
    return known | fields


def private(peer: str, head: int = 0, *, minute: int | None = None, epoch: str = EPOCH, **fields: Any) -> Object:
    """Return the Room of alice and ``peer``. Its last entry is a message of the peer."""
    room = f"pvt-alice-{peer}"
    last = {"last": message(room, head, peer, f"message {head}", minute=head if minute is None else minute)}
    found = {"room": room, "epoch": epoch, "kind": "private", "head": head, "peer": peer, "members_count": 2}
    markers = {"alice": {"read": 0, "delivered": 0}, peer: {"read": 0, "delivered": 0}}
    return found | {"me": me(), "markers": markers} | (last if head else {}) | fields


def group(room: str, title: str, head: int = 1, *, minute: int | None = None, **fields: Any) -> Object:
    """Return the Room of a group of alice and bob. Its last entry is a message of bob."""
    last = {"last": message(room, head, "bob", f"message {head}", minute=head if minute is None else minute)}
    found = {"room": room, "epoch": EPOCH, "kind": "group", "title": title, "head": head, "members_count": 2}
    markers = {"alice": {"read": 0, "delivered": 0}, "bob": {"read": 0, "delivered": 0}}
    return found | {"me": me(), "markers": markers} | (last if head else {}) | fields


def invitation(room: str, title: str, head: int = 5) -> Object:
    found = {"room": room, "epoch": EPOCH, "kind": "group", "title": title, "head": head, "members_count": 1}
    return found | {"me": {"role": "member", "state": "invited"}}


def pushed(room: Object) -> Object:
    """Return a Room as the push `room` has it: without `last` and `unread`."""
    without_unread = {name: value for name, value in room["me"].items() if name != "unread"}
    return {name: value for name, value in room.items() if name != "last"} | {"me": without_unread}


def missed(head: int, entries: Sequence[Object] = (), *, status: str = "events", unread: int = 0) -> Object:
    """Return what `sync` says of a room."""
    markers = {"alice": {"read": 0, "delivered": 0}, "bob": {"read": 0, "delivered": 0}}
    found: Object = {"status": status, "epoch": EPOCH, "head": head, "me": me(unread=unread), "markers": markers}
    return {**found, "entries": list(entries)} if status == "events" else found


GONE: Object = {"status": "gone"}


def cursor(seq: int, epoch: str = EPOCH) -> Object:
    return {"seq": seq, "epoch": epoch} if seq else {"seq": 0}


def error(code: str, *, temporary: bool = False, **fields: Any) -> Object:
    return {"code": code, "message": f"This is {code}.", "temporary": temporary, **fields}


UNAUTHENTICATED = error("unauthenticated")
UNAVAILABLE = error("unavailable", temporary=True)


# The steps.


@define(eq=False)
class Story:
    """A transcript in the making. Each method adds a step, those at the end several.

    Attributes:
        tab: the client that the next steps are about; None for the first.
    """

    name: str
    rule: str
    user: str = "alice"
    tokens: list[Any] | str = field(factory=lambda: ["token-1"])
    store: list[Object] = field(factory=list)
    steps: list[Object] = field(factory=list)
    tab: str | None = None
    _labels: "count[int]" = field(factory=lambda: count(1))

    def document(self) -> Object:
        named = {"name": self.name, "rule": self.rule, "user": self.user, "tokens": self.tokens}
        return {**named, "store": self.store, "steps": self.steps}

    def _step(self, **step: Any) -> None:
        self.steps.append({**step, "tab": self.tab} if self.tab else step)

    def do(self, name: str, **arguments: Any) -> None:
        self._step(do=name, **arguments)

    def opens(self, token: str = "token-1") -> None:
        self._step(open=token)

    def asks_token(self, refused: str | None = None) -> None:
        self._step(asked=refused)

    def push(self, event: str, data: Object) -> None:
        self._step(**{"in": {"event": event, "data": data}})

    def entry(self, *entries: Object) -> None:
        for each in entries:
            self.push("entry", each)

    def out(self, event: str, data: Object) -> int:
        """The client has sent a command. Returns the label by which its answer names it."""
        label = next(self._labels)
        self._step(out={"id": label, "event": event, "data": data})
        return label

    def answer(self, label: int, fields: Object | None = None) -> None:
        self._step(**{"in": {"id": label, "answer": {"ok": True, **(fields or {})}}})

    def refuse(self, label: int, why: Object) -> None:
        self._step(**{"in": {"id": label, "answer": {"ok": False, "error": why}}})

    def connection_refused(self, why: Object) -> None:
        self._step(refuse=why)

    def breaks(self, code: int = 1006) -> None:
        self._step(closed=code)

    def closes(self) -> None:
        self._step(close=True)

    def wait(self, ms: int) -> None:
        self._step(wait=ms)

    def state(self, values: Mapping[str, Any]) -> None:
        self._step(state=dict(values))

    def status(self, state: str, **fields: Any) -> None:
        self.state({"status": {"state": state, **fields}})

    def shows(self, room: str, *expected: Object) -> None:
        self.state({f"messages {room}": list(expected)})

    def result(self, value: Any, of: str | None = None) -> None:
        self._step(result=value, **({"of": of} if of else {}))

    def fails(self, code: str, of: str | None = None) -> None:
        self.result({"error": {"code": code}}, of)

    # Several steps.

    def ready(self, *rooms: Object, **fields: Any) -> None:
        known = {"protocol": 1, "features": ["presence"], "epoch": EPOCH, "user": self.user, "device": "phone"}
        self.push(
            "ready", {**known, "socket": "socket-1", "node": "node-1", "rooms": list(rooms), "expires_in": 900} | fields
        )

    def online(self, *rooms: Object, token: str = "token-1", **fields: Any) -> None:
        """Connect for the first time."""
        self.do("connect")
        self.opens(token)
        self.ready(*rooms, **fields)

    def comes_back(self, *rooms: Object, token: str = "token-1", **fields: Any) -> None:
        """The connection breaks; after the first pause the client connects again and is told `ready`."""
        self.breaks()
        self.wait(1000)
        self.opens(token)
        self.ready(*rooms, **fields)

    def asks_sync(self, cursors: Mapping[str, int]) -> int:
        return self.out("sync", {"cursors": {room: cursor(seq) for room, seq in cursors.items()}})

    def synced(self, label: int, rooms: Mapping[str, Object]) -> None:
        self.answer(label, {"rooms": dict(rooms)})

    def asks_page(self, room: str, first: int, last: int) -> int:
        return self.out("history", {"room": room, "lacks": [first, last]})

    def page(
        self, label: int, room: str, entries: Sequence[Object], head: int, *, before: bool, after: bool = False
    ) -> None:
        known = {"room": room, "epoch": EPOCH, "head": head, "entries": list(entries)}
        self.answer(label, {**known, "has_before": before, "has_after": after})

    def opened(self, room: str, head: int, entries: Sequence[Object] | None = None) -> None:
        """The program opens a room of at most 50 entries, and the client loads them."""
        self.do("open", room=room)
        if head:
            label = self.asks_page(room, 1, head)
            self.page(label, room, messages(room, 1, head) if entries is None else entries, head, before=False)

    def asks_send(self, room: str, body: str, key: str, **fields: Any) -> int:
        return self.out("message.send", {"room": room, "body": body, "key": f"${key}", **fields})

    def sends(self, room: str, body: str, key: str, **fields: Any) -> int:
        """The program sends a message while the client is online, and the client sends it."""
        self.do("send", room=room, body=body, **fields)
        return self.asks_send(room, body, key, **fields)

    def sent(self, label: int, room: str, seq: int, *, duplicate: bool = False) -> None:
        self.answer(label, {"room": room, "epoch": EPOCH, "seq": seq, "at": at(seq), "duplicate": duplicate})

    def other_tab(self, tab: str | None) -> "Story":
        """Let the next steps be about another client on the same store."""
        self.tab = tab
        return self


@define(eq=False)
class Chapter:
    """The transcripts of one file, in the order in which they are defined. A function's name is the transcript's."""

    _written: dict[str, tuple[str, Write]] = field(factory=dict)

    def rule(self, *texts: str) -> Callable[[Write], Write]:
        """Return a decorator that adds a transcript which holds a rule."""

        def add(function: Write) -> Write:
            self._add(function.__name__, "; ".join(texts), function)
            return function

        return add

    def rename(self, function: Write, name: str) -> None:
        """Give the transcript that was added last its own name, where one function writes several."""
        added, (rules, written) = self._written.popitem()
        assert written is function, added
        self._add(name, rules, function)

    def _add(self, name: str, rules: str, function: Write) -> None:
        assert name not in self._written, name
        self._written[name] = rules, function

    def documents(self) -> Sequence[Object]:
        documents = []
        for name, (rules, function) in self._written.items():
            story = Story(name, rules)
            function(story)
            documents.append(story.document())
        return documents
