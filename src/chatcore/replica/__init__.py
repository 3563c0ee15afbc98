"""The algorithm of a client as pure code: what it has of each room, what it asks next, what it repeats after a break.

A `Replica` takes events of one connection and objects of the wire, and returns effects, which its caller carries out
in their order. It does no I/O, awaits nothing and reads no clock. Its rules come from ``docs/protocol.md`` and are
quoted where they are applied:

    replica = Replica("alice")
    replica.connected()                      # [SendCommand(2, "sync", …), SendCommand(1, "message.send", …)]
    replica.pushed("entry", {…})             # [Entries("pvt-alice-bob", …)]
    replica.answered(1, {"ok": True, …})     # [Settled(1, …)]

The *cursor* of a room is the seq above which the server pushes every entry. Entries below it that the client lacks
are the room's *holes*; they are paged from `history`, and a break while paging loses nothing. A `Timeline` turns
entries into messages in their present state.

A `ClientState` is a whole client by the rules of ``docs/clients.md``: it pages only what its user has opened, and
has what is shown of rooms, messages that are not sent yet, markers, typing and presence.
"""

from .client_effects import Answered as Answered
from .client_effects import Changed as Changed
from .client_effects import ClientEffect as ClientEffect
from .client_effects import ClientEffects as ClientEffects
from .client_effects import Delivered as Delivered
from .client_effects import Drop as Drop
from .client_effects import Failed as Failed
from .client_effects import Keep as Keep
from .client_effects import Shown as Shown
from .client_effects import Wake as Wake
from .client_state import ClientState as ClientState
from .cursor import Hole as Hole
from .cursor import RoomCursor as RoomCursor
from .effects import Effect as Effect
from .effects import Effects as Effects
from .effects import Entries as Entries
from .effects import Forget as Forget
from .effects import Missed as Missed
from .effects import Object as Object
from .effects import RoomFields as RoomFields
from .effects import SendCommand as SendCommand
from .effects import Settled as Settled
from .effects import Typists as Typists
from .effects import Wait as Wait
from .replica import Replica as Replica
from .timeline import Timeline as Timeline
