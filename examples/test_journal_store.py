"""The contract suite of stores, run on the example of a custom store."""

from pathlib import Path

import pytest
from journal_store import JournalStore

from chatcore import Chat
from chatcore.testing import Stores, WholeStoreContract


class TestJournalStore(WholeStoreContract):
    @pytest.fixture
    def stores(self, tmp_path: Path) -> Stores:
        return lambda: JournalStore(tmp_path / "journal")

    @pytest.fixture
    def another(self, tmp_path: Path) -> JournalStore:
        return JournalStore(tmp_path / "another")


@pytest.mark.anyio
async def test_chat_on_a_store_without_a_feed_says_so(tmp_path: Path) -> None:
    async with Chat(JournalStore(tmp_path / "journal")) as chat:
        with pytest.raises(TypeError, match="JournalStore has no feed"):
            chat.feed()
