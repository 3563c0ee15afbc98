"""The presence of users: whether they have open sockets, and what their clients say."""

from typing import Literal, TypeAlias

ActiveState: TypeAlias = Literal["online", "away"]
"""The presence of a user with open sockets, and for `GRACE_S` after the end of the last one."""
PresenceState: TypeAlias = Literal["online", "away", "offline"]

GRACE_S = 10
"""Seconds from the end of a user's last socket until the user is offline: clients that reconnect stay online."""
