"""What is not sent yet, kept by a program."""

from collections.abc import Iterable
from typing import Protocol

from .transport import Object


class Store(Protocol):
    """Keeps messages until they are answered. Each is an object with a `key`, and can be written as JSON.

    Clients may share a store, in one process or several, if it says so.
    """

    def load(self) -> Iterable[Object]:
        """Return the items, in the order in which their keys were first put."""
        raise NotImplementedError

    def put(self, item: Object) -> None:
        """Keep an item, durably before this returns. It replaces an item with the same key, in its place."""

    def drop(self, key: str) -> None:
        """Remove the item with this key, if there is one. After a crash it may come back, which is harmless."""


class MemoryStore:
    """Keeps messages as long as the program runs."""

    def __init__(self) -> None:
        self._items: dict[str, Object] = {}

    def load(self) -> Iterable[Object]:
        return list(self._items.values())

    def put(self, item: Object) -> None:
        self._items[item["key"]] = item

    def drop(self, key: str) -> None:
        self._items.pop(key, None)
