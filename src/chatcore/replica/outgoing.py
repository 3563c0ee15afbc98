"""A message of the user that the client has not seen in its room yet."""

from attrs import define

from ..ids import RoomId, Seq, UserId
from .effects import Object

NOT_SENT = ("user", "error")
"""The fields of a kept item that are not part of the command `message.send`."""


@define(eq=False)
class Outgoing:
    """A message from `send` until its entry is shown.

    Attributes:
        user: the user who sends it; None until the first `ready` of the client says so.
        data: the command `message.send`.
        error: why it failed, until it is sent again.
        number: the command that sends it; None while it has failed, or its user is not known to be the client's.
        seq, at: those of its entry, once the message has been acknowledged.
    """

    user: UserId | None
    data: Object
    error: Object | None = None
    number: int | None = None
    seq: Seq | None = None
    at: str | None = None
    _shown: Object | None = None

    @property
    def key(self) -> str:
        return str(self.data["key"])

    def kept(self) -> Object:
        """Return the item that a store keeps."""
        item = {"user": self.user, **self.data} if self.user is not None else dict(self.data)
        return {**item, "error": self.error} if self.error else item

    def shown(self, room: RoomId) -> Object:
        """Return the message as it is shown: the same object until it changes."""
        if self._shown is None:
            fields = {name: value for name, value in self.data.items() if name != "to"}
            self._shown = {**fields, "kind": "message", "room": room, "author": self.user, "version": 1}
            if self.seq is not None:
                self._shown |= {"seq": self.seq, "at": self.at, "state": "sent"}
            else:
                self._shown |= {"state": "failed", "error": self.error} if self.error else {"state": "sending"}
        return self._shown

    def change(self, *, error: Object | None = None, seq: Seq | None = None, at: str | None = None) -> None:
        """Set what became of the message."""
        self.error, self.seq, self.at, self._shown = error, seq, at, None

    @classmethod
    def from_kept(cls, item: Object) -> "Outgoing":
        """Return the message of an item that a store has kept."""
        data = {name: value for name, value in item.items() if name not in NOT_SENT}
        return cls(item.get("user"), data, item.get("error"))
