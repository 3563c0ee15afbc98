"""Databases of their own on the server that a run of the tests shares."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from pymongo import MongoClient


@contextmanager
def a_database(server: str) -> Generator[str]:
    """The address of a database that is empty, and gone afterwards."""
    name = f"chatcore-test-{uuid4().hex[:16]}"
    with MongoClient[Any](server) as client:
        try:
            yield f"{server}{name}"
        finally:
            client.drop_database(name)


def empty(url: str) -> None:
    """Take everything out of a database but its indexes and what it knows of itself."""
    with MongoClient[Any](url) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            if name != "meta":
                database[name].delete_many({})
