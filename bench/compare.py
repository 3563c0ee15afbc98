"""Compare chatcore with other servers: they take turns on one core, under the load client on the other.

    python -m bench.compare [--rounds 7] [--seconds 5] [--workloads W1,W2] [--servers NAME,NAME] [--json FILE]

Prints medians with the lowest and highest of the rounds, and the ratios that docs/performance.md promises. A run in
which the load client used more than 85 % of its core does not count.
"""

import argparse
import json
import os
import shutil
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

from attrs import define, field

from .servers import CACHE, HERE, SERVERS, Cores, Mongod, Place, Running, Server, a_mongod, install, on_core
from .system_calls import CALLS, Strace, counted_calls
from .tables import Result, aligned, number_text, ratios, table
from .workloads import NUMBERS, WORKLOADS, Workload

LOAD = CACHE / "load"
CLIENT_CORE_MAX = 0.85
CALLS_S = 5
"""Seconds in which system calls are counted at least: strace needs a part of a second to begin."""


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

    def calls(self, name: str, server: Server) -> Mapping[str, float]:
        """Return a server's system calls per delivery, in a run of their own: it is slowed by ``strace``."""
        workload = WORKLOADS[name]
        place = self._fresh(f"{name}_{server.name}_calls", server)
        try:
            server.prepare(place, users(workload))
            with server.started(place, self.cores.server) as running:
                trace = place.folder / "trace"
                options = {**workload.options, "seconds": max(self.seconds, CALLS_S)}
                result = self._load(workload.mode, running, place, options, Strace(running.process.pid, trace))
                deliveries = result["deliveries_s"] * result["seconds"]
                return {kind: count / deliveries for kind, count in counted_calls(trace, running.port).items()}
        finally:
            place.remove()

    def _load(
        self,
        mode: str,
        running: Running,
        place: Place,
        options: Mapping[str, float],
        strace: Strace | None = None,
    ) -> Result:
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
                if strace and printed == "begin\n":
                    strace.begin()
                if strace and printed == "end\n":
                    strace.end()
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


def calls_table(comparison: Comparison, names: Sequence[str], servers: Sequence[Server]) -> str:
    lines = ["", "System calls per delivery (of runs slowed by strace)"]
    for name in names:
        rows = [[name, *CALLS]]
        for server in servers:
            try:
                calls = comparison.calls(name, server)
            except LoadError as error:
                comparison.not_counted.append(f"calls of {name} {server.name}: {error}")
            else:
                rows.append([server.name, *(f"{calls[kind]:.3f}" for kind in CALLS)])
        lines += aligned(rows)
    return "\n".join(lines)


def build() -> None:
    """Compile the load client."""
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", LOAD, HERE / "load.c"], check=True)


def chosen(given: str, known: Mapping[str, object]) -> Sequence[str]:
    names = given.split(",")
    if unknown := set(names) - known.keys():
        raise SystemExit(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
    return names


def compare(arguments: argparse.Namespace) -> None:
    names = chosen(arguments.workloads, WORKLOADS)
    servers = [SERVERS[name] for name in chosen(arguments.servers, SERVERS)]
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load client")
    if arguments.calls and not shutil.which("strace"):
        raise SystemExit("--calls needs strace")
    build()
    install()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.data or CACHE)))
        cores = Cores(available[0], available[1])
        needed = any(server.on_mongo for server in servers)
        mongod = stack.enter_context(a_mongod(folder / "mongod", cores.others)) if needed else None
        comparison = Comparison(cores, folder, mongod, arguments.seconds)
        turns = [
            (name, number, server)
            for name in names
            for number in range(arguments.rounds)
            for server in servers
            if server.stores or not WORKLOADS[name].stored
        ]
        try:
            for name, number, server in turns:
                progress(comparison, name, server, number, arguments.rounds)
                if arguments.json:
                    Path(arguments.json).write_text(report(comparison), encoding="utf-8")
        finally:  # also after Ctrl-C
            print(table(comparison.results, names, [server.name for server in servers]))
            print(ratios(comparison.results, syncs(comparison)["p50"]))
        if arguments.calls:
            print(calls_table(comparison, [name for name in names if name in {"W1", "W2"}], servers))
    print(f"\nfdatasync of the disk: {', '.join(f'{part} {ms:.3f} ms' for part, ms in syncs(comparison).items())}")
    for line in comparison.not_counted:
        print(f"not counted: {line}")


def syncs(comparison: Comparison) -> Mapping[str, float]:
    times = sorted(comparison.syncs_ms)
    return {f"p{part}": times[len(times) * part // 100] for part in (50, 99)} if times else {"p50": 0, "p99": 0}


def report(comparison: Comparison) -> str:
    """All results as JSON."""
    results = [
        {"workload": name, "server": server, "rounds": rounds} for (name, server), rounds in comparison.results.items()
    ]
    found = {"fdatasync_ms": syncs(comparison), "not_counted": comparison.not_counted, "results": results}
    return json.dumps(found, indent=1) + "\n"


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
    parser.add_argument("--calls", action="store_true", help="count system calls per delivery too; needs strace")
    parser.add_argument("--json", help="a file for all results")
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
