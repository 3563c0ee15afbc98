"""A connection for a transport of a host's own: pushes and answers wait in it, within bounds, until they are sent."""

from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from .ids import new_id
from .ports.pushes import Bye, Push
from .protocol import Object, answer_text, push_text

UNSENT_MAX = 1024 * 1024
"""Unsent bytes of a client; a slow consumer with more is cut."""
DRAINED_BELOW = 256 * 1024
"""Unsent bytes below which further large answers are written."""
CLOSE_S = 1
"""Seconds from the closing of an outbox to the end of `Outbox.run`, whatever the client does."""


class OutgoingQueue:
    """Texts for one client that have not been sent, in their order.

    Texts are in UTF-8, so that the queues of many clients share the bytes of a push.
    """

    __slots__ = ("_is_closed", "_news", "_room", "_texts", "unsent")

    def __init__(self) -> None:
        self.unsent: int = 0
        """Bytes of the texts that wait or are being sent."""
        self._texts: deque[bytes] = deque()
        self._is_closed = False
        self._news: anyio.Event | None = None
        """Set when the sending task, which waits, can go on."""
        self._room: anyio.Event | None = None
        """Set when fewer than `DRAINED_BELOW` bytes are unsent; None if no task waits."""

    def put(self, text: bytes) -> None:
        """Add a text. After `close` it is dropped."""
        if not self._is_closed:
            self._texts.append(text)
            self.unsent += len(text)
            _set(self._news)

    def close(self) -> None:
        """Mark the end of the texts. Those in the queue are still sent; nothing waits in `drained` any more."""
        self._is_closed = True
        _set(self._news)
        self._wake_drained()

    async def send_all(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send each text, in order, until the queue is closed and empty.

        When this ends, for whatever reason, the queue is closed and the remaining texts are dropped.
        """
        try:
            while (text := await self._next()) is not None:
                await send(text.decode())
                self.unsent -= len(text)
                if self.unsent < DRAINED_BELOW:
                    self._wake_drained()
        finally:
            self.close()
            self._texts.clear()
            self.unsent = 0

    async def drained(self) -> None:
        """Wait until fewer than `DRAINED_BELOW` bytes are unsent, or the queue is closed."""
        while self.unsent >= DRAINED_BELOW and not self._is_closed:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()

    async def _next(self) -> bytes | None:
        while not self._texts:
            if self._is_closed:
                return None
            self._news = anyio.Event()
            try:
                await self._news.wait()
            finally:
                self._news = None
        return self._texts.popleft()

    def _wake_drained(self) -> None:
        _set(self._room)
        self._room = None


def _set(event: anyio.Event | None) -> None:
    if event is not None:
        event.set()


class Outbox:
    """A `Connection` for a transport of a host's own, such as a WebSocket in a web framework.

    Enter `Chat.connect` with it, give the client's commands to `Socket.receive`, and let `run` send its texts::

        outbox = Outbox()
        async with chat.connect(outbox, user=user) as socket:
            bye = await outbox.run(websocket.send_text)

    The texts are those of the plain WebSocket (``docs/protocol.md``). A client that leaves more than 1 MiB unread is
    cut with `bye slow`. Large answers wait while 256 KiB or more is unread.
    """

    __slots__ = ("_bye", "_closed", "_id", "_queue")

    def __init__(self) -> None:
        self._id = new_id()
        self._queue = OutgoingQueue()
        self._bye: Bye | None = None
        self._closed: anyio.Event | None = None
        """Set by `close` while `run` waits for it."""

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        """Send a push; called by the Chat."""
        self._put(push.encoded(_push_bytes))

    def answer(self, id: str | int, answer: Object) -> None:  # noqa: A002
        """Send the answer to the command that the client has sent with this id.

        ``partial(outbox.answer, id)`` is what `Socket.receive` takes as ``answer``.
        """
        self._put(answer_text(id, answer).encode())

    def close(self, bye: Bye) -> None:
        """Send the reason as the last text, and end `run` within a second; called by the Chat."""
        if self._bye is None:
            self._bye = bye
            self._queue.put(_push_bytes(Push("bye", bye)))
            self._queue.close()
            _set(self._closed)

    async def drained(self) -> None:
        """Return once less than 256 KiB is unsent, or the outbox is closed; called by the Chat."""
        await self._queue.drained()

    async def run(self, send: Callable[[str], Awaitable[None]]) -> Bye:
        """Send the texts, in order, until the Chat closes the connection. Call it once.

        Args:
            send: sends one text to the client, and waits while the client does not read. Its exceptions end `run`.

        Returns:
            Why the connection ends. Close the transport then, with `Bye.close_code` if it is a WebSocket.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._limit_closing, tasks.cancel_scope)
            try:
                await self._queue.send_all(send)
            except Exception as error:  # noqa: BLE001  # the task group would put it into an ExceptionGroup
                failure = error
            tasks.cancel_scope.cancel()
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # the traceback refers to this frame: a cycle
        if self._bye is None:
            raise RuntimeError("run was called before")
        return self._bye

    def _put(self, text: bytes) -> None:
        self._queue.put(text)
        if self._queue.unsent > UNSENT_MAX:
            self.close(Bye(code="slow"))

    async def _limit_closing(self, running: anyio.CancelScope) -> None:
        if self._bye is None:
            self._closed = anyio.Event()
            await self._closed.wait()
        await anyio.sleep(CLOSE_S)
        running.cancel()


def _push_bytes(push: Push) -> bytes:
    return push_text(push).encode()
