"""Count the system calls of a running server by strace."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from attrs import define

CALLS = {
    "writes to clients": ("write", "writev", "sendto", "sendmsg"),
    "reads from clients": ("read", "readv", "recvfrom", "recvmsg"),
    "writes to files": ("pwrite64", "pwritev"),
    "syncs": ("fdatasync", "fsync"),
}


@define
class Strace:
    """The system calls of a process and its threads, written to a file."""

    process: int
    file: Path
    _running: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        names = ",".join(name for kind in CALLS.values() for name in kind)
        options: list[str | Path] = ["-f", "-qq", "-s", "0", "-yy", "-e", f"trace={names}", "-o", self.file]
        self._running = subprocess.Popen(["strace", *options, "-p", str(self.process)])

    def end(self) -> None:
        assert self._running
        self._running.terminate()
        self._running.wait()


def counted_calls(trace: Path, port: int) -> Mapping[str, int]:
    """Count the calls of each kind; of those to sockets only the calls for connections to the server's port."""
    counts = dict.fromkeys(CALLS, 0)
    to_clients = f"<TCP:[127.0.0.1:{port}->"
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name = line.partition(" ")[2].lstrip().partition("(")[0]
            for kind, names in CALLS.items():
                if name in names and ("clients" not in kind or to_clients in line):
                    counts[kind] += 1
    return counts
