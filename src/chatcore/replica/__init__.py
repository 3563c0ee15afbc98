"""A client's rules, pure: what it has of each room, what it asks next, what it sends again after a break.

Objects of the wire go in, effects come out, and whoever holds the line carries them out in their order. Nothing here
does I/O, awaits or looks at a clock. The rules are those of ``docs/protocol.md``, quoted where they are followed:

    replica = Replica("alice")
    replica.connected()                      # [Ask(2, "sync", …), Ask(1, "message.send", …)]
    replica.pushed("entry", {…})             # [Entries("pvt-alice-bob", …)]
    replica.answered(1, {"ok": True, …})     # [Settled(1, …)]

A room's *cursor* is the seq above which the server will tell everything by itself; what the client lacks below it are
the room's *holes*, which are paged from `history`. So a break in the middle of paging costs nothing. A `Timeline` makes
of the entries what there is to show.
"""

from .cursor import Cursor as Cursor
from .cursor import Hole as Hole
from .effects import Ask as Ask
from .effects import Effect as Effect
from .effects import Effects as Effects
from .effects import Entries as Entries
from .effects import Forget as Forget
from .effects import Missed as Missed
from .effects import Object as Object
from .effects import Settled as Settled
from .effects import Shown as Shown
from .effects import Wait as Wait
from .replica import Replica as Replica
from .timeline import Timeline as Timeline
