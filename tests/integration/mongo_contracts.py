"""What the contract suites ask of MongoDB, for tests that look at all of it."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mongo_plans import Commands
from .mongod import URI

MODULES = ("test_mongo_accounts", "test_mongo_store")
KEPT_IN = "CHATCORE_TEST_MONGODB_COMMANDS"
ROOT = Path(__file__).parents[2]
SECONDS = 270


class Heard:
    """For a contract suite: it is noted which of its tests have run."""

    @pytest.fixture(autouse=True)
    def heard(self, request: pytest.FixtureRequest, mongo_commands: Commands) -> None:
        mongo_commands.suites.add(f"{type(self).__name__}.{request.node.originalname}")


def suites() -> Iterator[str]:
    """Every test of the contract suites, as `Heard` notes it."""
    for module in MODULES:
        for name, cls in vars(importlib.import_module(f"{__package__}.{module}")).items():
            if name.startswith("Test"):
                yield from (f"{name}.{test}" for test in dir(cls) if test.startswith("test_"))


def commands_of_all(heard: Commands, server: str, folder: Path) -> Commands:
    """What the suites have sent in this run; where not all of them have run, what they send in one of their own."""
    missing = {*suites()} - heard.suites
    if not missing:
        return heard
    print(f"the contract suites are run for themselves: {len(missing)} of their tests have not run, as {min(missing)}")
    kept = folder / "commands.bson"
    files = [f"tests/integration/{module}.py" for module in MODULES]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env=os.environ | {URI: server, KEPT_IN: str(kept)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"the contract suites fail:\n{ran.stdout}"
    return Commands.kept(kept)
