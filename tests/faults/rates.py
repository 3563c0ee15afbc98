"""How often the simulation finds each fault of a live room: the table of ``docs/simulation.md``.

`python -m tests.faults.rates` runs the seeds 0 to 99 over each, `python -m tests.faults.rates NAME …` over some.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import simulated, table
from .run import broken, copy_tree
from .table import Fault

SEEDS = 100
LIVE = "src/chatcore/live/"
FAULTS = (*(fault for fault in table.FAULTS if fault.file.startswith(LIVE)), *simulated.FAULTS)
COUNT = f"""
from chatcore.testing.simulation import simulate
from chatcore_memory import MemoryRegistry, MemoryStore

print(sum(bool(simulate(seed, MemoryStore, MemoryRegistry).broken) for seed in range({SEEDS})))
"""


def main(names: list[str]) -> None:
    for fault in FAULTS:
        if not names or fault.name in names:
            print(f"| {fault.name} | {rate(fault)} |", flush=True)


def rate(fault: Fault) -> int:
    """In how many seeds a promise is broken over the fault."""
    with tempfile.TemporaryDirectory(prefix="chatcore-rate-") as folder:
        copy = Path(folder)
        copy_tree(copy)
        if complaint := broken(copy, fault):
            raise SystemExit(f"{fault.name}: {complaint}")
        paths = os.pathsep.join(map(str, (copy / "src", copy / "src" / "adapters")))
        environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(
            [sys.executable, "-c", COUNT], cwd=copy, env=environment, capture_output=True, text=True, check=True
        )
    return int(ran.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
