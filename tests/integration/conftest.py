"""What several suites of the real things need."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration import javascript
from tests.integration.mongo_contracts import KEPT_IN, commands_of_all
from tests.integration.mongo_database import a_database
from tests.integration.mongo_plans import Commands
from tests.integration.mongod import any_mongod


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests run on one worker; those of MongoDB's store together: their queries are looked at afterwards."""
    for item in items:
        name = item.path.stem
        item.add_marker(pytest.mark.xdist_group("test_mongo_store" if name.startswith("test_mongo_store") else name))


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official JavaScript client, installed once in a run of the tests."""
    return javascript.install(tmp_path_factory.mktemp("javascript"))


@pytest.fixture(scope="session")
def mongod() -> Generator[str]:
    """The address of the MongoDB server of this run, without a database."""
    with any_mongod() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_commands() -> Generator[Commands]:
    """What the contract suites have sent to the MongoDB server in this run."""
    commands = Commands()
    yield commands
    if file := os.environ.get(KEPT_IN):
        commands.keep(Path(file))


@pytest.fixture(scope="session")
def contract_commands(mongod: str, mongo_commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """What all of the contract suites send to a MongoDB server. In a run of everything they have run before."""
    return commands_of_all(mongo_commands, mongod, tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="module")
def mongo_url(mongod: str) -> Generator[str]:
    """The address of a database of the test module's own."""
    with a_database(mongod) as url:
        yield url
