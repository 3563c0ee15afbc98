"""The harness of `chatcore_client`, in the process of its caller: see the README."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import asdict, define, field

from chatcore_client import Client, ClientError, MemoryStore, Message, Room, SignedOut, Status, connect
from chatcore_client.transport import ConnectionHandler

from .story import Object


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock only moves in `advance`. It reads asyncio's queues, which have no public name."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._ms = 0
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._ms / 1000

    def settle(self) -> None:
        """Run until nothing is left to do at this time."""
        while self._ready or self._next_ms() <= self._ms:
            self.call_soon(self.stop)
            self.run_forever()

    def advance(self, ms: int) -> None:
        end = self._ms + ms
        while (at := self._next_ms()) <= end:
            self._ms = max(self._ms, at)
            self.settle()
        self._ms = end

    def _next_ms(self) -> int:
        """Return the time of the next timer."""
        times = [timer.when() for timer in self._scheduled if not timer.cancelled()]
        return round(min(times) * 1000) if times else sys.maxsize


@define(eq=False)
class Connection:
    """A connection of a client, as its transport gives it, and what it tells the client."""

    tab: "Tab"
    handler: ConnectionHandler
    answers: dict[int, Callable[[Object], None]] = field(factory=dict)

    def send(self, event: str, data: Object, on_answer: Callable[[Object], None]) -> None:
        number = self.tab.harness.next_id()
        self.answers[number] = on_answer
        self.tab.did(out={"id": number, "event": event, "data": json.loads(json.dumps(data))})

    def close(self) -> None:
        if self.tab.connection is self:
            self.tab.connection = None
            self.tab.did(close=True)


@define(eq=False)
class Tab:
    """One client, from a start of the program to its end. It is the client's transport."""

    harness: "PythonHarness"
    name: str | None
    loop: SteppedLoop = field(factory=SteppedLoop)
    connection: Connection | None = None
    results: dict[str, Object] = field(factory=dict)
    is_over: bool = False
    _client: Client | None = None
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    @property
    def client(self) -> Client:
        assert self._client
        return self._client

    def did(self, **what: Any) -> None:
        if not self.is_over:
            self.harness.did.append({**what, "tab": self.name} if self.name else what)

    # The transport.

    def open(self, token: str, handler: ConnectionHandler) -> Connection:
        self.did(open=token)
        self.connection = Connection(self, handler)
        return self.connection

    async def close(self) -> None:
        pass

    def pause_factor(self) -> float:
        return 1

    async def token(self, refused: str | None) -> str:
        self.did(asked=refused)
        token = self.harness.next_token()
        if isinstance(token, str):
            return token
        if token.get("signed_out"):
            raise SignedOut
        raise OSError("the token function fails")

    # Calls.

    def begin(self, call: Object) -> None:
        """Make a call of the program, and keep its result by its name."""
        task = self.loop.create_task(self._kept(call))
        self._tasks.add(task)

    async def _kept(self, call: Object) -> None:
        try:
            self.results[call["as"]] = {"value": await self._call(call)}
        except ClientError as error:
            self.results[call["as"]] = {"error": error.error}

    def _room(self, call: Object) -> Room:
        return self.client.room(with_=call["with"]) if "with" in call else self.client.room(call["room"])

    def _message(self, call: Object, fits: Callable[[Message], bool]) -> Message:
        (found,) = filter(fits, self._room(call).messages.snapshot())
        return found

    async def _call(self, call: Object) -> Any:
        def by_seq(message: Message) -> bool:
            seq: int = call["seq"]
            return message.seq == seq

        def is_failed(message: Message) -> bool:
            return message.body == call["body"] and message.state == "failed"

        match call["do"]:
            case "connect":
                token = self.harness.tokens if isinstance(self.harness.tokens, str) else self.token
                self._client = connect("http://chat", token, store=self.harness.store, transport=self)
                await self._client.__aenter__()
            case "close":
                await self.client.close()
            case "open":
                self._room(call).messages.subscribe(lambda: None)
            case "send":
                fields = {name: call[name] for name in ("data", "reply_to", "mentions") if name in call}
                return await self._room(call).send(call["body"], **fields).done
            case "edit":
                return await self._room(call).edit(self._message(call, by_seq), call["body"])
            case "delete":
                return await self._room(call).delete(self._message(call, by_seq))
            case "react":
                return await self._room(call).react(self._message(call, by_seq), call["emoji"], call["on"])
            case "retry":
                self._message(call, is_failed).retry()
            case "discard":
                self._message(call, is_failed).discard()
            case "more":
                more: Awaitable[bool] = (
                    self._room(call).more(call["count"])
                    if "count" in call
                    else self._room(call).more(until=call["until"])
                )
                return await more
            case "mark":
                self._room(call).mark(call["seq"])
            case "typing":
                self._room(call).typing(call["on"])
            case "call":
                return await self.client.call(call["event"], call["data"])
            case _:
                raise LookupError(call["do"])
        return None

    # The network.

    def take(self, frame: Object) -> None:
        if self.connection is None:
            return
        if "answer" in frame:
            if on_answer := self.connection.answers.pop(frame["id"], None):
                self.loop.call_soon(on_answer, frame["answer"])
        else:
            self.loop.call_soon(self.connection.handler.pushed, frame["event"], frame["data"])

    def end(self, line: Object) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if "refuse" in line:
            self.loop.call_soon(connection.handler.refused, line["refuse"])
        else:
            self.loop.call_soon(connection.handler.closed, line["closed"])

    def over(self) -> None:
        """End as a program that is killed: nothing of it is seen any more."""
        self.is_over = True
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()

    # What is shown.

    def shown(self, name: str) -> Any:
        what, _, which = name.partition(" ")
        match what:
            case "status":
                status: Status = self.client.status.snapshot()
                return asdict(status)
            case "rooms":
                return list(self.client.rooms.snapshot())
            case "presence":
                return self.client.presence.snapshot()
            case "room":
                return self.client.room(which).info.snapshot()
            case "messages":
                return [dict(message.fields) for message in self.client.room(which).messages.snapshot()]
            case "typists":
                return list(self.client.room(which).typists.snapshot())
            case "store":
                return list(self.harness.store.load())
            case "result":
                return self.results.get(which)
            case _:
                raise LookupError(name)


class PythonHarness:
    """Answers the lines of the referee. `close` ends its clients."""

    def __init__(self) -> None:
        self.tokens: Sequence[Any] | str = []
        self.store = MemoryStore()
        self.did: list[Object] = []
        self._tabs: dict[str | None, Tab] = {}
        self._last_id = 0
        self._next_token = 0

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def next_token(self) -> Any:
        token = self.tokens[min(self._next_token, len(self.tokens) - 1)]
        self._next_token += 1
        return token

    def __call__(self, line: Object) -> Object:
        if "start" in line:
            self._start(line["start"])
            return {"did": []}
        name = line.get("tab")
        if name not in self._tabs:
            self._tabs[name] = Tab(self, name)
        tab = self._tabs[name]
        if "show" in line:
            return {"shown": {wanted: _as_json(tab.shown(wanted)) for wanted in line["show"]}}
        if "wait" in line:
            for each in self._tabs.values():
                each.loop.advance(line["wait"])
        else:
            self._happen(tab, line)
            self._tabs[name].loop.settle()
        did, self.did = self.did, []
        return {"did": did}

    def _happen(self, tab: Tab, line: Object) -> None:
        match line:
            case {"do": "restart"}:
                tab.over()
                self._tabs[tab.name] = Tab(self, tab.name)
                self._tabs[tab.name].begin({**line, "do": "connect"})
            case {"do": _}:
                tab.begin(line)
            case {"in": frame}:
                tab.take(frame)
            case _:
                tab.end(line)

    def _start(self, start: Mapping[str, Any]) -> None:
        self.close()
        self.__init__()  # type: ignore[misc]
        self.tokens = start["tokens"]
        for item in start["store"]:
            self.store.put(item)

    def close(self) -> None:
        for tab in self._tabs.values():
            tab.over()
        self._tabs.clear()


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
