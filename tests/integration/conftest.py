"""Fixtures, groups and order of the integration tests."""

import fcntl
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from chatcore_server import garbage_collector
from tests.integration import http_hosts, javascript, simulation_seeds
from tests.integration.mongo_contracts import KEPT_IN, MODULES, commands_of_all
from tests.integration.mongo_database import a_database
from tests.integration.mongo_plans import Commands
from tests.integration.mongod import any_mongod

if TYPE_CHECKING:  # a quarter of a second, which only tests with a browser need
    from playwright.async_api import Browser

    from tests.integration.browser import Chromium

MONGO_SUITES = "MongoDB's contract suites, and what looks at their queries"
LONG = (
    *(MONGO_SUITES, "test_chat_programs", "test_simulation", "test_cutting_proxy", "test_chat_crowd"),
    *("test_mongo_rights", "test_serve_floods", "test_official_clients", "test_kill", "test_outage", "test_mongo_kill"),
    *("test_mongo_races", "test_conversation", "test_mongo_faults", "test_serve_loss", "test_serve_stop"),
    *(
        "test_client_rounds",
        "test_sqlite_store",
        "test_bounds",
        "test_feed_kill",
        "test_rights_matrix",
        "test_rights_anywhere",
    ),
)
"""The files that take longest. They start first, so that no worker runs one alone at the end."""


class Groups(LoadScopeScheduling):
    """Gives the tests of a file to one worker. MongoDB's suites are one group, since another test examines their
    queries afterwards. Each chunk of the simulation's campaign is a group.

    xdist's own groups (`xdist_group`) do not work: pytest 9.2 shows no node id that xdist 3.8 has changed.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = _file(nodeid)
        is_chunk = file == "test_simulation" and "[" in nodeid
        return nodeid if is_chunk else file


def _file(nodeid: str) -> str:
    stem = Path(nodeid.partition("::")[0]).stem
    return MONGO_SUITES if stem in MODULES or stem.startswith("test_mongo_store") else stem


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {file: rank for rank, file in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(_file(item.nodeid), len(LONG)))


def pytest_sessionstart() -> None:
    """Let the programs that tests start react to Ctrl-C and to a lost terminal, also if the caller ignores these
    signals (in the background of a shell, under nohup)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the seeds of the simulation's campaign if the campaign was selected."""
    campaign = Path(__file__).with_name("test_simulation.py")
    selected = {Path(config.invocation_params.dir, arg.partition("::")[0]).resolve() for arg in config.args}
    return simulation_seeds.header() if selected & {campaign, *campaign.parents} else None


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official JavaScript client, installed once per run. Each worker has a copy, to put programs beside it."""
    base, folder = tmp_path_factory.getbasetemp(), tmp_path_factory.mktemp("javascript")
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "javascript"
    with (shared.parent / "javascript.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            javascript.install(folder)
            folder.rename(shared)
    return shutil.copytree(shared, folder, symlinks=True, dirs_exist_ok=True) / "node_modules"


@pytest.fixture(scope="session")
def chromium() -> "Chromium":
    """A Chromium for real pages."""
    from tests.integration import browser

    return browser.chromium()


@pytest.fixture(scope="module")
async def browser(anyio_backend: str, chromium: "Chromium") -> "AsyncGenerator[Browser]":
    """A browser for the test module alone. The module's fixture `anyio_backend` returns "asyncio" for the module."""
    from tests.integration.browser import launched

    assert anyio_backend == "asyncio"
    async with launched(chromium) as browser:
        yield browser


@pytest.fixture
def default_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Python's garbage collector unchanged when a server starts in the process of the test.

    A server collects at its start. That would traverse all objects of pytest, which takes as long as a whole test.
    """
    monkeypatch.setattr(garbage_collector, "set_for_serving", nullcontext)


@pytest.fixture(scope="session")
def mongod() -> Generator[str]:
    """The address of the MongoDB server of this run, without a database name."""
    with any_mongod() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_commands() -> Generator[Commands]:
    """The commands that the contract suites have sent to the MongoDB server in this run."""
    commands = Commands()
    yield commands
    if file := os.environ.get(KEPT_IN):
        commands.keep(Path(file))


@pytest.fixture(scope="session")
def contract_commands(mongod: str, mongo_commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The commands that all contract suites send to a MongoDB server. In a complete run the suites have run before."""
    return commands_of_all(mongo_commands, mongod, tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="module")
def mongo_url(mongod: str) -> Generator[str]:
    """The address of a database for the test module alone."""
    with a_database(mongod) as url:
        yield url


@pytest.fixture(scope="module")
def http_host(request: pytest.FixtureRequest) -> Generator[str]:
    """The name of the host that serves the nodes of a module; see `http_hosts.EVERYWHERE`."""
    with http_hosts.served_by(request.param):
        yield request.param
