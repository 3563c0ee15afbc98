"""Compare chatcore with other servers: they take turns on one core, under the load client on the other.

    python -m bench.compare [--rounds 7] [--seconds 5] [--workloads W1,W2] [--servers NAME,NAME] [--json FILE]

Prints medians with the lowest and highest of the rounds, and the ratios that docs/performance.md promises. A run in
which the load client used more than 85 % of its core does not count.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import FrameType

from attrs import define, field, frozen

from .servers import CACHE, HERE, SERVERS, Cores, Mongod, Place, Running, Server, a_mongod, install, on_core

LOAD = CACHE / "load"
CLIENT_CORE_MAX = 0.85
Result = dict[str, float]


@frozen(kw_only=True)
class Workload:
    """What the load client does to every server.

    Attributes:
        what: its description in the table.
        mode: the load client's mode.
        options: the load client's options.
        users: how many accounts it needs.
        shows: which numbers the table shows: those whose name is in `NUMBERS`.
        seeded: whether the users have 50 rooms each before; they are written once, and kept for all rounds.
        stored: whether a server that stores nothing cannot do it.
        half_rate_of: the workload at half of whose median rate the pairs write.
    """

    what: str
    mode: str
    options: Mapping[str, float]
    users: int
    shows: Sequence[str]
    seeded: bool = False
    stored: bool = False
    half_rate_of: str | None = None


NUMBERS = {
    "deliveries_s": "deliveries/s",
    "messages_s": "messages/s",
    "connects_s": "connects/s",
    "pages_s": "pages/s",
    "storm_s": "s until all are ready and synced",
    "answer_p50_ms": "sent to acknowledged, p50 ms",
    "answer_p99_ms": "sent to acknowledged, p99 ms",
    "delivery_p50_ms": "sent to delivered, p50 ms",
    "delivery_p99_ms": "sent to delivered, p99 ms",
    "ready_p50_ms": "connect to ready, p50 ms",
    "ready_p99_ms": "connect to ready, p99 ms",
    "sync_p50_ms": "connect to synced, p50 ms",
    "sync_p99_ms": "connect to synced, p99 ms",
    "page_p50_ms": "page, p50 ms",
    "page_p99_ms": "page, p99 ms",
    "kib_socket": "KiB per idle socket",
    "server_us_message": "server's CPU µs per message",
    "store_us_message": "mongod's CPU µs per message",
    "server_us_connect": "server's CPU µs per connect",
    "requests_each": "requests to mongod per message or user",
    "server_core": "server's core used",
    "store_core": "mongod's core used",
    "client_core": "load client's core used",
    "refused": "refused for the moment, and repeated",
}
LATENCIES = ("answer_p50_ms", "answer_p99_ms", "delivery_p50_ms", "delivery_p99_ms")
CORES = ("server_core", "store_core", "client_core", "refused")
SPENT = ("server_us_message", "store_us_message", "requests_each", *CORES)
CONNECTED = ("connects_s", "ready_p50_ms", "ready_p99_ms", "server_us_connect", "client_core", "refused")

WORKLOADS: Mapping[str, Workload] = {
    "W1": Workload(
        what="a room of 500, 5 senders with 1 message in flight each",
        mode="room",
        options={"members": 500, "senders": 5, "window": 1},
        users=500,
        shows=("deliveries_s", *LATENCIES, *SPENT),
    ),
    "W1-one": Workload(
        what="a room of 500, 1 sender with 1 message in flight",
        mode="room",
        options={"members": 500, "senders": 1, "window": 1},
        users=500,
        shows=("deliveries_s", *LATENCIES, *SPENT),
    ),
    "W2": Workload(
        what="250 pairs, one of each sends, with 2 messages in flight",
        mode="pairs",
        options={"pairs": 250, "window": 2},
        users=500,
        shows=("messages_s", *LATENCIES, *SPENT),
    ),
    "W3": Workload(
        what="1,000 users connect, 32 at a time; ready lists 50 rooms",
        mode="connect",
        options={"users": 1000, "warm": 100, "connecting": 32, "rooms": 50},
        users=1100,
        shows=CONNECTED,
        seeded=True,
    ),
    "W3-idle": Workload(
        what="2,000 users without rooms connect, 32 at a time, and stay idle",
        mode="connect",
        options={"users": 2000, "warm": 200, "connecting": 32},
        users=2200,
        shows=("kib_socket", *CONNECTED),
    ),
    "W4-room": Workload(
        what="a room of 500, 20 messages/s by 5 senders",
        mode="room",
        options={"members": 500, "senders": 5, "rate": 20},
        users=500,
        shows=(*LATENCIES, *SPENT),
    ),
    "W4-pairs": Workload(
        what="250 pairs, 1,000 messages/s together",
        mode="pairs",
        options={"pairs": 250, "rate": 1000},
        users=500,
        shows=(*LATENCIES, *SPENT),
    ),
    "W5": Workload(
        what="after a restart 1,000 users with 50 rooms each connect at once, and sync",
        mode="storm",
        options={"users": 1000, "connecting": 64, "rooms": 50, "missed": 1},
        users=1000,
        shows=("storm_s", "ready_p50_ms", "ready_p99_ms", "sync_p50_ms", "sync_p99_ms", "requests_each", *CORES),
        seeded=True,
        stored=True,
    ),
    "W6": Workload(
        what="16 readers of pages of 50, while 250 pairs write at half the rate of W2",
        mode="pairs",
        options={"pairs": 250, "readers": 16, "preload": 60},
        users=500,
        shows=("pages_s", "page_p50_ms", "page_p99_ms", "messages_s", *LATENCIES, *CORES),
        stored=True,
        half_rate_of="W2",
    ),
}


@frozen
class Goal:
    """A ratio of medians that is promised: of ``ours`` to ``rival``, at least or at most so much."""

    workload: str
    number: str
    ours: str
    rival: str
    least: float | None = None
    most: float | None = None


GOALS = (
    Goal("W1", "deliveries_s", "chatcore-sqlite", "node-memory", least=2.5),
    Goal("W1-one", "deliveries_s", "chatcore-sqlite", "node-memory", least=1.2),
    Goal("W2", "messages_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3", "connects_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3-idle", "connects_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3-idle", "kib_socket", "chatcore-sqlite", "node-memory", most=1.0),
    Goal("W4-room", "delivery_p50_ms", "chatcore-sqlite", "node-memory", most=1.2),
    Goal("W4-room", "server_core", "chatcore-sqlite", "node-memory", most=1.5),
    Goal("W4-pairs", "server_core", "chatcore-sqlite", "node-memory", most=2.5),
    Goal("W1", "deliveries_s", "chatcore-mongo", "node-mongoose", least=1.7),
    Goal("W2", "messages_s", "chatcore-mongo", "node-mongoose", least=5.0),
    Goal("W2", "messages_s", "chatcore-mongo", "node-driver", least=1.0),
    Goal("W5", "storm_s", "chatcore-mongo", "node-mongoose", most=0.7),
)
PAIRS_MORE_MS = 0.15
"""W4 in pairs: the p50 may be so much above Node's, and the disk's fdatasync."""


class LoadError(Exception):
    """The load client ended a run: what it measured would count for nothing."""


@define
class Comparison:
    """One comparison: its servers, and what was measured so far."""

    cores: Cores
    folder: Path
    mongod: Mongod | None
    seconds: float
    results: dict[tuple[str, str], dict[int, Result]] = field(factory=dict)
    """The results by workload and server, and by round."""
    not_counted: list[str] = field(factory=list)
    syncs_ms: list[float] = field(factory=list)
    seeded: set[Place] = field(factory=set)

    def round(self, name: str, server: Server, number: int) -> Result:
        """Run a workload once against a server.

        Raises:
            LoadError: the run does not count.
        """
        workload = WORKLOADS[name]
        self.syncs_ms += fdatasync_times(self.folder)
        options = {**workload.options, "seconds": self.seconds}
        if workload.half_rate_of:
            before = self.results.get((workload.half_rate_of, server.name))
            if not before:
                raise LoadError(f"it needs a median of {workload.half_rate_of}")
            options["rate"] = median(result["messages_s"] for result in before.values()) / 2
        place = self._seeded(name, server) if workload.seeded else self._fresh(f"{name}_{server.name}_{number}", server)
        try:
            if not workload.seeded:
                server.prepare(place, users(workload))
            with server.started(place, self.cores.server) as running:
                if workload.seeded and not server.stores:
                    self._load("seed", running, place, seed_options(workload))
                result = self._load(workload.mode, running, place, options)
        finally:
            if not workload.seeded:
                place.remove()
        if result["client_core"] > CLIENT_CORE_MAX:
            raise LoadError(f"the load client used {result['client_core']:.2f} of its core")
        self.results.setdefault((name, server.name), {})[number] = result
        return result

    def _fresh(self, name: str, server: Server) -> Place:
        return Place(folder=self.folder / name, mongod=self.mongod if server.on_mongo else None)

    def _seeded(self, name: str, server: Server) -> Place:
        """Return the data of a server whose users have rooms. They are made once: it takes longer than a run."""
        workload = WORKLOADS[name]
        place = self._fresh(f"{name}_{server.name}", server)
        if place in self.seeded:
            return place
        try:
            server.prepare(place, users(workload))
            if server.stores:
                with server.started(place, self.cores.server) as running:
                    self._load("seed", running, place, seed_options(workload))
        except LoadError:
            place.remove()
            raise
        self.seeded.add(place)
        return place

    def _load(self, mode: str, running: Running, place: Place, options: Mapping[str, float]) -> Result:
        """Run the load client. Requests to ``mongod`` are counted from when it begins to measure until it ends."""
        mongod = place.mongod
        processes = {"server": running.process.pid, **({"store": mongod.process.pid} if mongod else {})}
        given = {"port": running.port, "tokens": place.tokens, **processes, **options}
        command: list[str | Path] = [LOAD, mode, *(f"{name}={value}" for name, value in given.items())]
        requests: list[int] = []
        printed = ""
        with (
            on_core(self.cores.others),
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client,
        ):
            assert client.stdout
            assert client.stderr
            for printed in client.stdout:
                if mongod and printed in {"begin\n", "end\n"}:
                    requests.append(mongod.requests())
            failure = client.stderr.read().strip()
        if client.returncode:
            log = place.log.read_text(encoding="utf-8")
            raise LoadError("; ".join([failure, *log.splitlines()[-1:]]))
        result: Result = json.loads(printed)
        if len(requests) == 2:
            result["requests_each"] = (requests[1] - requests[0] - 1) / (result.get("messages") or options["users"])
        return result


def users(workload: Workload) -> Sequence[str]:
    return [f"u{number}" for number in range(workload.users)]


def seed_options(workload: Workload) -> Mapping[str, float]:
    return {"users": workload.users, "rooms": workload.options["rooms"], "messages": 2}


def fdatasync_times(folder: Path, count: int = 50) -> list[float]:
    """Milliseconds of writes of 4 KiB with fdatasync on the disk of the data."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return times


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def number_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def middle(results: Mapping[int, Result], number: str) -> float:
    return median(result[number] for result in results.values())


def cell(results: Sequence[Result], number: str) -> str:
    values = [result[number] for result in results if number in result]
    if not any(values):
        return ""
    return f"{number_text(median(values))} ({number_text(min(values))}-{number_text(max(values))})"


def table(comparison: Comparison, names: Sequence[str], servers: Sequence[str]) -> str:
    """Medians, and in brackets the lowest and highest."""
    lines: list[str] = []
    for name in names:
        columns = [server for server in servers if (name, server) in comparison.results]
        if not columns:
            continue
        rows = [[name, *columns]]
        for number in WORKLOADS[name].shows:
            cells = [cell([*comparison.results[name, server].values()], number) for server in columns]
            if any(cells):  # a server without a store has no numbers of one
                rows.append([NUMBERS[number], *cells])
        lines += ["", f"{name}: {WORKLOADS[name].what}", *aligned(rows)]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def ratios(comparison: Comparison) -> str:
    """Ratios of medians, with the lowest and highest of the rounds' ratios, and what was promised."""
    rows: list[list[str]] = []
    for goal in GOALS:
        ours = comparison.results.get((goal.workload, goal.ours))
        rival = comparison.results.get((goal.workload, goal.rival))
        if not ours or not rival:
            continue
        ratio = middle(ours, goal.number) / middle(rival, goal.number)
        spread = [ours[turn][goal.number] / rival[turn][goal.number] for turn in ours.keys() & rival.keys()] or [ratio]
        reached = ratio >= goal.least if goal.least is not None else ratio <= (goal.most or 0)
        wanted = f"at least {goal.least}" if goal.least is not None else f"at most {goal.most}"
        rows.append(
            [
                f"{goal.workload} {NUMBERS[goal.number]}",
                f"{goal.ours} / {goal.rival}",
                f"{ratio:.2f} ({min(spread):.2f}-{max(spread):.2f})",
                wanted,
                "reached" if reached else "missed",
            ]
        )
    rows += pairs_latency(comparison)
    return "\n".join(["", "Ratios of medians (lowest-highest of the rounds)", *aligned(rows)]) if rows else ""


def pairs_latency(comparison: Comparison) -> list[list[str]]:
    """W4 in pairs is promised as a difference: the rival does not wait for a disk."""
    ours = comparison.results.get(("W4-pairs", "chatcore-sqlite"))
    rival = comparison.results.get(("W4-pairs", "node-memory"))
    if not ours or not rival:
        return []
    found, theirs = middle(ours, "delivery_p50_ms"), middle(rival, "delivery_p50_ms")
    most = theirs + percentile(comparison.syncs_ms, 0.5) + PAIRS_MORE_MS
    what = f"W4-pairs {NUMBERS['delivery_p50_ms']}"
    reached = "reached" if found <= most else "missed"
    return [[what, "chatcore-sqlite - node-memory", f"{found - theirs:.3f}", f"at most {most - theirs:.3f}", reached]]


def build() -> None:
    """Compile the load client."""
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", LOAD, HERE / "load.c"], check=True)


def compare(arguments: argparse.Namespace) -> None:
    names: list[str] = arguments.workloads.split(",")
    servers = [SERVERS[name] for name in arguments.servers.split(",")]
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load client")
    build()
    install()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.data or CACHE)))
        cores = Cores(available[0], available[1])
        needed = any(server.on_mongo for server in servers)
        mongod = stack.enter_context(a_mongod(folder / "mongod", cores.others)) if needed else None
        comparison = Comparison(cores, folder, mongod, arguments.seconds)
        for name in names:
            for number in range(arguments.rounds):
                for server in servers:
                    if server.stores or not WORKLOADS[name].stored:
                        progress(comparison, name, server, number, arguments.rounds)
    print(table(comparison, names, [server.name for server in servers]))
    print(ratios(comparison))
    sync = {f"p{part}": percentile(comparison.syncs_ms, part / 100) for part in (50, 99)}
    print(f"\nfdatasync of the disk: p50 {sync['p50']:.3f} ms, p99 {sync['p99']:.3f} ms")
    for line in comparison.not_counted:
        print(f"not counted: {line}")
    if arguments.json:
        runs = [
            {"workload": name, "server": server, "rounds": rounds}
            for (name, server), rounds in comparison.results.items()
        ]
        report = {"fdatasync_ms": sync, "not_counted": comparison.not_counted, "results": runs}
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def progress(comparison: Comparison, name: str, server: Server, number: int, rounds: int) -> None:
    where = f"{name} round {number + 1}/{rounds} {server.name} (load before {os.getloadavg()[0]:.1f})"
    try:
        result = comparison.round(name, server, number)
        shows = [shown for shown in WORKLOADS[name].shows[:3] if shown in result]
        text = ", ".join(f"{number_text(result[shown])} {NUMBERS[shown]}" for shown in shows)
    except LoadError as error:
        text = f"not counted: {error}"
        comparison.not_counted.append(f"{name} {server.name}: {error}")
    print(f"{where}: {text}", file=sys.stderr, flush=True)


def end(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that the servers are stopped too."""
    raise SystemExit(128 + number)


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    parser = argparse.ArgumentParser(prog="python -m bench.compare")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server in each workload")
    parser.add_argument("--seconds", type=float, default=5, help="seconds that a run measures, after 1 s without")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="comma-separated")
    parser.add_argument("--servers", default=",".join(SERVERS), help="comma-separated")
    parser.add_argument("--data", help="the folder in whose disk the servers' data are; default: in .cache")
    parser.add_argument("--json", help="a file for all results")
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
