"""A process with tabs of the Python client, which `client_rounds` drives by lines of JSON. The twin of `tabs.mjs`."""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chatcore_client import Client, FileStore, Message, Room, connect
from chatcore_client.socketio_transport import SocketioTransport

PAUSES = 0.1
"""The pauses between connections are shorter than those of people, so that more happens in a second."""


class ImpatientTransport(SocketioTransport):
    def pause_factor(self) -> float:
        return PAUSES * super().pause_factor()


def say(**line: Any) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


class Tab:
    """One client of a user, with the private room of the user and a peer."""

    def __init__(self, url: str, name: str, options: Mapping[str, str]) -> None:
        self.name = name
        self._url = url
        self._options = options
        self._client: Client | None = None

    async def open(self) -> None:
        store = FileStore(self._options["file"])
        client = connect(self._url, self._options["token"], store=store, transport=ImpatientTransport(self._url))
        self._client = await client.__aenter__()
        client.status.subscribe(self._say_state)
        self.room.messages.subscribe(lambda: None)
        self._say_state()

    def _say_state(self) -> None:
        assert self._client
        say(tab=self.name, state=self._client.status.snapshot().state)

    @property
    def room(self) -> Room:
        assert self._client
        return self._client.room(with_=self._options["peer"])

    async def close(self) -> None:
        assert self._client
        await self._client.close()

    def send(self, body: str) -> None:
        self.room.send(body)
        say(tab=self.name, returned=body)

    async def show(self, number: int) -> None:
        """Say everything that the room shows, down to its first entry."""
        with suppress(Exception):  # the driver asks again
            await self.room.more(until=1)
        say(tab=self.name, number=number, messages=[self._shown(message) for message in self.room.messages.snapshot()])

    def _shown(self, message: Message) -> tuple[int | None, str, str | None]:
        return message.seq, message.state, message.body


async def main() -> None:
    options = json.loads(sys.argv[1])
    tabs = {name: Tab(options["url"], name, each) for name, each in options["tabs"].items()}
    for tab in tabs.values():
        await tab.open()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    showing: set[asyncio.Task[None]] = set()
    async for line in lines:
        match json.loads(line):
            case {"tab": name, "send": body}:
                tabs[name].send(body)
            case {"tab": name, "reload": True}:
                await tabs[name].close()
                await tabs[name].open()
            case {"tab": name, "show": number}:
                task = asyncio.create_task(tabs[name].show(number))
                showing.add(task)
                task.add_done_callback(showing.discard)
            case other:
                raise ValueError(other)


if __name__ == "__main__":
    asyncio.run(main())
