"""Count how often the simulation finds each fault of a live room: the tables of ``docs/simulation.md``.

`python -m tests.faults.rates` runs the seeds 0 to 99 with each fault, `python -m tests.faults.rates NAME …` with the
named faults. For a fault that only stress finds, the seeds 0 to 5 of that stress are run too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import simulation
from .fault import Fault
from .run import FAULTS, copy_tree, plant

ORDINARY, UNDER_STRESS = 100, 6
LIVE = "chatcore.live:"
IN_SIMULATION = [fault for faults in simulation.PROMISES.values() for fault in faults]
COUNTED = [fault for fault in FAULTS if fault.symbol.startswith(LIVE) or fault in IN_SIMULATION]
COUNT = """
import sys
from chatcore.testing.simulation import STRESSES, simulate
from chatcore_memory import MemoryRegistry, MemoryStore

stress = {name.replace(" ", "-"): name for name in STRESSES}.get(sys.argv[1])
runs = (simulate(seed, MemoryStore, MemoryRegistry, stress=stress) for seed in range(int(sys.argv[2])))
print(sum(bool(run.violations) for run in runs))
"""


def main(names: list[str]) -> None:
    for fault in COUNTED:
        if not names or fault.name in names:
            print(f"| {fault.name} | {' | '.join(map(str, rates(fault)))} |", flush=True)


def rates(fault: Fault) -> list[int]:
    """Return the numbers of seeds with a broken promise: of ordinary worlds, and of worlds under the fault's stress."""
    with tempfile.TemporaryDirectory(prefix="chatcore-rate-") as folder:
        copy = Path(folder)
        copy_tree(copy)
        plant(copy, fault)
        kinds = [("", ORDINARY)]
        if fault.test.startswith(simulation.UNDER_STRESS):
            kinds.append((fault.test.partition("[")[2].rstrip("]"), UNDER_STRESS))
        return [_count(copy, *kind) for kind in kinds]


def _count(copy: Path, kind: str, seeds: int) -> int:
    paths = os.pathsep.join(map(str, (copy / "src", copy / "src" / "adapters")))
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", COUNT, kind, str(seeds)]
    return int(subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
