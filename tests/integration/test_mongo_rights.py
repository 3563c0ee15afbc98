"""The matrix of rights on MongoDB: the same rows, with the same answers. What a socket adds has no store in it."""

from collections.abc import AsyncGenerator

import pytest

from chatcore_mongo import MongoAccounts, MongoStore
from tests.integration.http_node import HttpNode, http_node
from tests.integration.test_rights_matrix import anyio_backend as anyio_backend
from tests.integration.test_rights_matrix import cast as cast
from tests.integration.test_rights_matrix import test_over_http_everybody_gets_the_answer_of_the_table as over_http

pytestmark = pytest.mark.anyio

test_over_http_everybody_gets_the_answer_of_the_table = over_http


@pytest.fixture(scope="module")
async def node(anyio_backend: str, mongo_url: str) -> AsyncGenerator[HttpNode]:
    store = MongoStore(mongo_url)
    async with http_node(store=store, accounts_store=MongoAccounts(store.database)) as node:
        yield node
