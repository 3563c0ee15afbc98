"""Break one promise at a time in a copy of the tree, and require the test of the promise to fail.

`nox -s faults` runs all faults, `nox -s faults -- NAME …` the named ones. The exit status is 1 if a test passes with a
fault, or if a fault does not fit the code.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import (
    command_line,
    feed,
    hosting,
    javascript_client,
    live,
    mounting,
    page,
    protocol,
    python_client,
    readme,
    simulation,
    stores,
    transcripts,
    websockets,
)
from .fault import SOURCES, Fault, MisfitError, faulty

TABLES = (
    *(readme, live, protocol, stores, simulation, hosting, mounting, feed, websockets, command_line),
    *(javascript_client, page, python_client, transcripts),
)
FAULTS = tuple(fault for table in TABLES for faults in table.PROMISES.values() for fault in faults)

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "docs", "examples", "README.md", "pyproject.toml", "hatch_build.py", "LICENSE", ".gitignore")
SECONDS = 300


def main(names: list[str]) -> int:
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        print(f"There is no fault called {', '.join(sorted(unknown))}.")
        return 2
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    noticed = sum([is_noticed(fault) for fault in chosen])
    print(f"{noticed} of {len(chosen)} faults were noticed by their tests.")
    return 0 if noticed == len(chosen) else 1


def is_noticed(fault: Fault) -> bool:
    """Return whether the test fails with the fault, and print the result."""
    with tempfile.TemporaryDirectory(prefix="chatcore-fault-") as folder:
        copy = Path(folder)
        copy_tree(copy)
        try:
            plant(copy, fault)
            complaint = _run_test(copy, fault)
        except MisfitError as error:
            complaint = str(error)
    print(f"{'MISSED' if complaint else 'ok    '} {fault.name}{f': {complaint}' if complaint else ''}", flush=True)
    return complaint is None


def copy_tree(copy: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy2(source, copy / name)


def plant(copy: Path, fault: Fault) -> None:
    """Apply the fault to a copy of the tree. Raises `MisfitError`."""
    file, text = faulty(copy, fault)
    file.write_text(text, encoding="utf-8")


def _run_test(copy: Path, fault: Fault) -> str | None:
    """Run the test of the fault. Returns None if the test fails, otherwise its output."""
    paths = [copy / source for source in SOURCES]
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
            os.killpg(running.pid, signal.SIGKILL)  # together with the servers that the tests have started
            return None  # a test that hangs with the fault does not pass
    if running.returncode == 1:
        return None
    return f"{fault.test} ended with {running.returncode}\n{printed[-2000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
