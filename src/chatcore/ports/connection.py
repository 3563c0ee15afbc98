"""What a transport gives the domain: something to write to."""

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from attrs import define, field, frozen

ByeCode: TypeAlias = Literal["slow", "shutdown", "expired", "signed_out", "kicked", "protocol"]


@frozen(kw_only=True)
class Bye:
    """Why a socket ends; ``resumable`` says whether the client may come back by itself (protocol: "Connecting")."""

    code: ByeCode
    retry_after_ms: int | None = None

    @property
    def resumable(self) -> bool:
        return self.code in ("slow", "shutdown", "expired")


@define(eq=False)
class Push:
    """One event for clients. Never changed once made; shared by all its receivers, and encoded once for all of them.

    ``body`` is one of the domain's objects (`Entry`, `Ready`, …); `chatcore.protocol` gives its wire form.
    """

    event: str
    body: object
    _encoded: dict[object, bytes] = field(factory=dict, init=False, repr=False)

    def encoded(self, encode: Callable[["Push"], bytes]) -> bytes:
        """This push as ``encode`` writes it, which is asked only once per push."""
        found = self._encoded.get(encode)
        if found is None:
            found = self._encoded[encode] = encode(self)
        return found


class Connection(Protocol):
    """One client's line, as a transport implements it. Reading from it is the transport's own affair.

    A connection that raises is cut: the fault is logged, it is closed with `bye slow`, and it gets no further push.
    """

    @property
    def id(self) -> str:
        """Unique among all connections of all nodes; `ready` shows it as ``socket``."""
        ...

    def send(self, push: Push) -> None:
        """Write a push, in order, without blocking and without raising; after `close` it does nothing.

        A reader that does not keep up is the transport's to cut, with ``Bye(code="slow")``, once more than 1 MiB of
        pushes is outstanding.
        """
        ...

    def close(self, bye: Bye) -> None:
        """Tell the client why and end the line, soon, whatever the client does. Further calls do nothing."""
        ...

    async def drained(self) -> None:
        """Return once less than 256 KiB is outstanding, or the line has ended: large answers wait for it."""
        ...
