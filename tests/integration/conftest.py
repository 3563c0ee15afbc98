"""What several suites of the real things need."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration import javascript
from tests.integration.mongo_database import a_database
from tests.integration.mongo_plans import Commands
from tests.integration.mongod import any_mongod


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
def mongo_commands() -> Commands:
    """What the contract suites have sent to the MongoDB server in this run."""
    return Commands()


@pytest.fixture(scope="module")
def mongo_url(mongod: str) -> Generator[str]:
    """The address of a database of the test module's own."""
    with a_database(mongod) as url:
        yield url
