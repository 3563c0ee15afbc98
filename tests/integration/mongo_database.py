"""Separate databases on the server that all tests of a run share."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from pymongo import MongoClient


@contextmanager
def a_database(server: str) -> Generator[str]:
    """The address of an empty database, which is dropped afterwards."""
    name = f"chatcore-test-{uuid4().hex[:16]}"
    with MongoClient[Any](server) as client:
        try:
            yield f"{server}{name}"
        finally:
            client.drop_database(name)


def empty(url: str) -> None:
    """Delete all documents of a database except its metadata. Indexes stay."""
    with MongoClient[Any](url) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            if name != "meta":
                database[name].delete_many({})
