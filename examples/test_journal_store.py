"""The contract suite of stores, run on the example of a custom store."""

from pathlib import Path

import pytest
from journal_store import JournalStore

from chatcore.testing import Stores, WholeStoreContract


class TestJournalStore(WholeStoreContract):
    @pytest.fixture
    def stores(self, tmp_path: Path) -> Stores:
        return lambda: JournalStore(tmp_path / "journal")

    @pytest.fixture
    def another(self, tmp_path: Path) -> JournalStore:
        return JournalStore(tmp_path / "another")
