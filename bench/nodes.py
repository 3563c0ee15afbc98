"""What one hot room takes when several nodes write to it: a process each, with a Chat of its own, on one MongoDB.

    python bench/nodes.py mongodb://host/database [--seconds 2]

16 writers a node, all into one room, against one node with as many writers in all; there is no bus, so a node learns of
the others' entries where it loses a seq to them. Each number is the median of alternating rounds: appends acknowledged
per second in all, the share of the slowest and the fastest node, calls of `append` that lost their seq for each that
wrote, how long a writer waits, and how many were told `unavailable`. Processes share the processors with MongoDB.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

from attrs import asdict, frozen

from chatcore import Chat, Push, SendMessage
from chatcore.domain.entries import Entry
from chatcore.errors import Unavailable
from chatcore.ports.entry_log import AppendResult
from chatcore.ports.pushes import Bye
from chatcore_mongo import MongoStore

NODES = (2, 4)
WRITERS = 16
ROUNDS = 5
BODY = "x" * 200


class Sink:
    """A connection that takes everything and keeps nothing."""

    id = "sink"

    def send(self, push: Push) -> None: ...

    def close(self, bye: Bye) -> None: ...

    async def drained(self) -> None: ...


class Counting(MongoStore):
    """Counts calls of `append` that wrote, and that found their seq taken."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.written = self.lost = 0

    async def append(self, entries: Sequence[Entry]) -> AppendResult:
        appended = await super().append(entries)
        if appended.written:
            self.written += 1
        elif appended.taken is None:
            self.lost += 1
        return appended


@frozen
class Round:
    """What one node has done in one round; ``waits`` in seconds."""

    waits: list[float]
    unavailable: int
    written: int
    lost: int


async def write(chat: Chat, store: Counting, user: str, writers: int, seconds: float) -> Round:
    """So many write to one room, each as fast as they are answered."""
    keys, waits, unavailable, began = itertools.count(), list[float](), 0, time.perf_counter()
    store.written = store.lost = 0
    run = uuid4().hex[:8]

    async def writer() -> None:
        nonlocal unavailable
        while (sent := time.perf_counter()) - began < seconds:
            try:
                await chat.execute(user, SendMessage(to=user, body=BODY, key=f"{run} {next(keys)}"))
                waits.append(time.perf_counter() - sent)
            except Unavailable:
                unavailable += 1

    await asyncio.gather(*(writer() for _ in range(writers)))
    return Round(waits, unavailable, store.written, store.lost)


async def serve(url: str, user: str) -> None:
    """A node: for each line that it is told it writes, and prints what came of it."""
    store = Counting(url)
    async with Chat(store) as chat, chat.connect(Sink(), user=user):
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            told = json.loads(line)
            print(json.dumps(asdict(await write(chat, store, user, **told))), flush=True)


class Node:
    """A process that serves."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> str:
        assert self._process.stdout
        return (await self._process.stdout.readline()).decode()

    async def write(self, writers: int, seconds: float) -> Round:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"writers": writers, "seconds": seconds}).encode() + b"\n")
        return Round(**json.loads(await self.heard()))


@asynccontextmanager
async def nodes(url: str, count: int) -> AsyncGenerator[Sequence[Node]]:
    """Nodes that write to a room of their own."""
    command = [sys.executable, __file__, "serve", url, f"bot-{uuid4().hex[:8]}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "limit": 2**26}
    processes = [await asyncio.create_subprocess_exec(*command, **pipes) for _ in range(count)]
    try:
        found = [Node(process) for process in processes]
        for node in found:
            await node.heard()
        yield found
    finally:
        for process in processes:
            process.kill()
            await process.wait()


async def measure(url: str, count: int, seconds: float) -> None:
    alone: list[Sequence[Round]] = []
    together: list[Sequence[Round]] = []
    async with nodes(url, 1) as one, nodes(url, count) as many:
        for _ in range(ROUNDS + 1):
            alone.append(await asyncio.gather(*(node.write(count * WRITERS, seconds) for node in one)))
            together.append(await asyncio.gather(*(node.write(WRITERS, seconds) for node in many)))
    alone, together = alone[1:], together[1:]  # the first round makes the room
    ratios = [total(two) / total(one) for one, two in zip(alone, together, strict=True)]
    print(f"{count} nodes: {median(ratios):.2f} of what one node does ({min(ratios):.2f}-{max(ratios):.2f})")
    report("one node", alone, seconds)
    report(f"{count} nodes", together, seconds)


def total(rounds: Sequence[Round]) -> int:
    return sum(len(one.waits) for one in rounds)


def report(what: str, rounds: Sequence[Sequence[Round]], seconds: float) -> None:
    every = [one for each in rounds for one in each]
    rates = [total(each) / seconds for each in rounds]
    lost = sum(one.lost for one in every) / sum(one.written for one in every)
    waits = quantiles([1000 * wait for one in every for wait in one.waits], n=100)
    shares = [sorted(len(one.waits) / total(each) for one in each) for each in rounds]
    unavailable = sum(one.unavailable for one in every)
    print(f"  {what}: {median(rates):,.0f} appends/s ({min(rates):,.0f}-{max(rates):,.0f})")
    print(f"    shares from {median(one[0] for one in shares):.0%} to {median(one[-1] for one in shares):.0%}")
    print(f"    {lost:.2f} calls lost for each that wrote; p50 {waits[49]:,.0f} ms, p99 {waits[98]:,.0f} ms")
    print(f"    {unavailable} of {unavailable + sum(map(total, rounds))} unavailable")


async def main(url: str, seconds: float) -> None:
    for count in NODES:
        await measure(url, count, seconds)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(*sys.argv[2:]))
    else:
        asyncio.run(main(sys.argv[1], float(sys.argv[3]) if "--seconds" in sys.argv else 2.0))
