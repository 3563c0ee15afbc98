"""Break one promise at a time in a copy of the tree, and require the test that holds it to fail.

`nox -s faults` runs all of them, `nox -s faults -- NAME …` some. Ends with 1 when a test passes over broken code, or
when a fault no longer fits the code.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import (
    accounts,
    chat,
    examples,
    limits,
    mongo,
    replica,
    rights,
    server,
    simulated,
    socketio,
    stores,
    stress,
    table,
)
from .table import Fault

FAULTS = (
    *table.FAULTS,
    *socketio.FAULTS,
    *stores.FAULTS,
    *rights.FAULTS,
    *accounts.FAULTS,
    *limits.FAULTS,
    *chat.FAULTS,
    *replica.FAULTS,
    *server.FAULTS,
    *mongo.FAULTS,
    *examples.FAULTS,
    *simulated.FAULTS,
    *stress.FAULTS,
)

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "docs", "examples", "README.md", "pyproject.toml")
SECONDS = 300


def main(names: list[str]) -> int:
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        print(f"There is no fault called {', '.join(sorted(unknown))}.")
        return 2
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    complaints = [complaint for fault in chosen if (complaint := found(fault))]
    print(f"{len(chosen) - len(complaints)} of {len(chosen)} faults were found by their tests.")
    return 1 if complaints else 0


def found(fault: Fault) -> str | None:
    """None when the fault's tests fail over it; otherwise what is wrong, which is printed too."""
    with tempfile.TemporaryDirectory(prefix="chatcore-fault-") as folder:
        copy = Path(folder)
        copy_tree(copy)
        complaint = broken(copy, fault) or noticed(copy, fault)
    print(
        f"{'ok    ' if complaint is None else 'MISSED'} {fault.name}{f': {complaint}' if complaint else ''}", flush=True
    )
    return complaint


def copy_tree(copy: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy2(source, copy / name)


def broken(copy: Path, fault: Fault) -> str | None:
    file = copy / fault.file
    text = file.read_text(encoding="utf-8")
    if text.count(fault.right) != 1:
        return f"what it replaces stands {text.count(fault.right)} times in {fault.file}"
    file.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
    return None


def noticed(copy: Path, fault: Fault) -> str | None:
    paths = [copy / "src", copy / "src" / "adapters", copy / "src" / "entrypoints"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", fault.test]
    with subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            printed, _ = running.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)  # with the servers that its tests have started
            return None  # a test that hangs over the fault does not pass
    if running.returncode == 1:
        return None
    return f"{fault.test} ended with {running.returncode}\n{printed[-2000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
