"""What several suites of the real things need."""

from pathlib import Path

import pytest

from tests.integration import javascript


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official JavaScript client, installed once in a run of the tests."""
    return javascript.install(tmp_path_factory.mktemp("javascript"))
