"""Who waits for what becomes of the client's messages."""

import asyncio
from collections.abc import Callable

from .errors import ClientError
from .transport import Object

DISCARDED: Object = {"code": "discarded", "message": "The message was discarded.", "temporary": False}


class OwnDelivery:
    """The delivery of one message, from `send` on: shared by all states in which the message is shown."""

    def __init__(self, key: str, retry: Callable[[str], None], discard: Callable[[str], None]) -> None:
        self._key = key
        self._retry, self._discard = retry, discard
        self._seq: int | None = None
        self._error: Exception | None = None
        self._waiting: set[asyncio.Future[int]] = set()

    async def wait(self) -> int:
        if self._seq is not None:
            return self._seq
        if self._error:
            raise self._error
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def retry(self) -> None:
        self._error = None
        self._retry(self._key)

    def discard(self) -> None:
        self._discard(self._key)

    def delivered(self, seq: int) -> None:
        self._seq = seq
        for future in self._waiting:
            if not future.done():
                future.set_result(seq)

    def failed(self, error: Exception) -> None:
        self._error = error
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)


class PastDelivery:
    """The delivery of an entry, which took place before it was shown."""

    def __init__(self, seq: int) -> None:
        self._seq = seq

    async def wait(self) -> int:
        return self._seq

    def retry(self) -> None:
        pass

    def discard(self) -> None:
        pass


class Deliveries:
    """The deliveries of all messages that are not answered or have failed, by key."""

    def __init__(self, retry: Callable[[str], None], discard: Callable[[str], None]) -> None:
        self._retry, self._discard = retry, discard
        self._by_key: dict[str, OwnDelivery] = {}

    def of(self, key: str) -> OwnDelivery:
        if key not in self._by_key:
            self._by_key[key] = OwnDelivery(key, self._retry, self._discard)
        return self._by_key[key]

    def delivered(self, key: str, seq: int) -> None:
        if key in self._by_key:
            self._by_key.pop(key).delivered(seq)

    def failed(self, key: str, error: Object) -> None:
        if key in self._by_key:
            self._by_key[key].failed(ClientError(error))

    def discarded(self, key: str) -> None:
        if key in self._by_key:
            self._by_key.pop(key).failed(ClientError(DISCARDED))

    def end(self, error: Exception) -> None:
        """Give all of them up, because the client ends."""
        for delivery in self._by_key.values():
            delivery.failed(error)
