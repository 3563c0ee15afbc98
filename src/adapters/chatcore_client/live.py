"""Values that change while the client runs."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Listener: TypeAlias = Callable[[], object]


class Live(ABC, Generic[T]):
    """A value that changes.

    `async for value in live` gives the present value, and then the newest one whenever it has changed. The iteration
    ends when the client is closed, and raises `ClientEnded` when the client has ended by itself; that of
    `Client.status` ends in both cases.
    """

    @abstractmethod
    def snapshot(self) -> T:
        """Return the present value. It never changes afterwards, and is the same object until the value changes."""

    @abstractmethod
    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Call `listener` after the value has changed, once for all changes of a moment.

        Returns:
            A function that ends the subscription.
        """

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[T]: ...


class LiveValue(Live[T]):
    """A live value that is computed when it is asked for.

    Args:
        compute: returns the present value.
        ended: returns what ends an iteration, once the client has ended.
        on_use: is called when a program begins to follow the value.
    """

    def __init__(
        self,
        compute: Callable[[], T],
        *,
        ended: Callable[[], Exception | None],
        on_use: Callable[[], None] | None = None,
    ) -> None:
        self._compute = compute
        self.ended = ended
        self._on_use = on_use
        self._is_stale = True
        self._value: tuple[T] | None = None
        self._listeners: dict[object, Listener] = {}
        self._readers: set[asyncio.Future[None]] = set()
        self._told: object = None

    def snapshot(self) -> T:
        if self._value is None or self._is_stale:
            value = self._compute()
            self._is_stale = False
            if self._value is None or value != self._value[0]:
                self._value = (value,)
        return self._value[0]

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        if self._on_use:
            self._on_use()
        self._told = self.snapshot()
        subscription = object()
        self._listeners[subscription] = listener

        def unsubscribe() -> None:
            self._listeners.pop(subscription, None)

        return unsubscribe

    def __aiter__(self) -> AsyncIterator[T]:
        if self._on_use:
            self._on_use()
        return _Reader(self)

    def changed(self) -> bool:
        """Note that the value may have changed. Returns whether `tell` has something to do."""
        self._is_stale = True
        return bool(self._listeners or self._readers)

    def tell(self) -> None:
        """Tell readers and listeners of a change. A listener that raises does not stop the others."""
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)
        value = self.snapshot() if self._listeners else self._told
        if value is self._told:
            return
        self._told = value
        for listener in list(self._listeners.values()):
            try:
                listener()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the listener's
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "A listener of a live value raised an exception", "exception": error}
                )

    async def change(self) -> None:
        """Wait until the value may have changed, or the client has ended."""
        reader = asyncio.get_running_loop().create_future()
        self._readers.add(reader)
        try:
            await reader
        finally:
            self._readers.discard(reader)


class _Reader(AsyncIterator[T]):
    """One iteration over a live value."""

    def __init__(self, live: LiveValue[T]) -> None:
        self._live = live
        self._last: object = self

    async def __anext__(self) -> T:
        while True:
            value = self._live.snapshot()
            if value is not self._last:
                self._last = value
                return value
            if ended := self._live.ended():
                raise ended
            await self._live.change()
