"""The commands that the contract suites send to MongoDB, for tests that examine all of them."""

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


class RecordedSuite:
    """A mixin for contract suites that notes which of their tests have run."""

    @pytest.fixture(autouse=True)
    def record(self, request: pytest.FixtureRequest, mongo_commands: Commands) -> None:
        mongo_commands.suites.add(f"{type(self).__name__}.{request.node.originalname}")


def suites() -> Iterator[str]:
    """Yield the names of all tests of the contract suites, as `RecordedSuite` notes them."""
    for module in MODULES:
        for name, cls in vars(importlib.import_module(f"{__package__}.{module}")).items():
            if name.startswith("Test"):
                yield from (f"{name}.{test}" for test in dir(cls) if test.startswith("test_"))


def commands_of_all(recorded: Commands, server: str, folder: Path) -> Commands:
    """Return the commands that the suites sent in this run. If not all suites have run, run them in a process first."""
    missing = {*suites()} - recorded.suites
    if not missing:
        return recorded
    print(f"run the contract suites separately: {len(missing)} of their tests have not run, such as {min(missing)}")
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
