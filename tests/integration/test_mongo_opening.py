"""Which servers and databases a store opens."""

from typing import Any

import pytest
from pymongo import MongoClient

from chatcore.errors import StoreError
from chatcore_mongo import MongoStore, migrations

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_server_that_is_too_old_is_named_with_what_is_needed_and_not_touched(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MongoClient[Any](mongo_url) as client:
        its_version = client.server_info()["version"]
        client.drop_database(client.get_default_database().name)
        monkeypatch.setattr(migrations, "OLDEST_SERVER", (1_000, 2))
        with pytest.raises(StoreError, match=rf"is MongoDB {its_version}; 1000\.2 or newer is needed\.$"):
            async with MongoStore(mongo_url):
                pass
        assert client.get_default_database().list_collection_names() == []
