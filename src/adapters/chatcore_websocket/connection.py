"""A chatcore `Connection` over a websocket."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

from chatcore.errors import ChatError
from chatcore.ids import new_id
from chatcore.ports.pushes import Bye, Push
from chatcore.protocol import Object

from .close_codes import INTERNAL
from .writer import Writer

log: Final = logging.getLogger(__name__)

PushText: TypeAlias = Callable[[Push], str]


class WebsocketConnection(ABC):
    """Writes the pushes and answers of one socket. No method raises, and only `drained` waits.

    Args:
        writer: of the websocket.
        push_text: returns a push as a text message.
    """

    __slots__ = ("_encode_push", "_id", "_is_accepted", "_writer")

    def __init__(self, writer: Writer, push_text: PushText) -> None:
        self._id = new_id()
        self._writer = writer
        self._encode_push = _push_encoder(writer.encode, push_text)
        self._is_accepted = False
        writer.on_overflow = self._close_slow_consumer

    @property
    def id(self) -> str:
        return self._id

    def send(self, push: Push) -> None:
        if self._writer.is_ended:
            return
        if not self._is_accepted:
            # The first push is `ready`. Only now is it certain that the client's request to connect succeeds.
            self._is_accepted = True
            self._accept()
        try:
            message = push.encoded(self._encode_push)
        except Exception:
            log.exception("push encoding failed: event=%s", push.event)
            self._writer.end(INTERNAL)
            return
        self._writer.write(message)

    def answer(self, request: int | str, answer: Object) -> None:
        """Write an answer to the command that has the id ``request``."""
        if self._writer.is_ended:
            return
        try:
            message = self._writer.encode(self._answer_text(request, answer))
        except Exception:
            log.exception("answer encoding failed")
            self._writer.end(INTERNAL)
            return
        self._writer.write(message)

    def close(self, bye: Bye) -> None:
        self._write_bye(bye)
        self._writer.end(bye.close_code)

    async def drained(self) -> None:
        await self._writer.drained()

    def refuse(self, error: ChatError) -> None:
        """Refuse the client's request to connect, and end the websocket."""
        self._write_refusal(error)
        self._writer.end(self._refusal_code)

    _refusal_code: int
    """The close code after a refusal."""

    @abstractmethod
    def _accept(self) -> None:
        """Write what precedes `ready`."""

    @abstractmethod
    def _answer_text(self, request: int | str, answer: Object) -> str:
        """Return an answer as a text message."""

    @abstractmethod
    def _write_bye(self, bye: Bye) -> None: ...

    @abstractmethod
    def _write_refusal(self, error: ChatError) -> None: ...

    def _write(self, text: str) -> None:
        self._writer.write(self._writer.encode(text))

    def _close_slow_consumer(self) -> None:
        self.close(Bye(code="slow"))


@cache
def _push_encoder(encode: Callable[[str], bytes], push_text: PushText) -> Callable[[Push], bytes]:
    """Return the one function for these two: a push is encoded once for each function."""

    def encode_push(push: Push) -> bytes:
        return encode(push_text(push))

    return encode_push
