"""The presence of users: whether they have open sockets, and what their clients say."""

from datetime import datetime
from typing import Literal, TypeAlias

from attrs import frozen

ActiveState: TypeAlias = Literal["online", "away"]
"""The presence of a user with open sockets, and for `GRACE_S` after the end of the last one."""
PresenceState: TypeAlias = Literal["online", "away", "offline"]

GRACE_S = 10
"""Seconds from the end of a user's last socket until the user is offline: clients that reconnect stay online."""


@frozen
class UserPresence:
    """What a client is shown of a user. ``last_seen`` is the end of the last socket of a user who is offline."""

    state: PresenceState
    last_seen: datetime | None = None


HIDDEN = UserPresence("offline")
"""What is shown of a user who shares no room with the client's user, or of whom one has blocked the other."""
