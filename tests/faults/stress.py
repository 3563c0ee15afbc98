"""Faults that only worlds under stress find: ordinary ones of the simulation have not the load, or not the size."""

from .table import ROOM, SIMULATION, Fault

UNDER = f"{SIMULATION}::test_stress_breaks_no_promise"

FAULTS = (
    Fault(
        "a-batch-holds-one-command",
        ROOM,
        "BATCH_MAX = 500\n",
        "BATCH_MAX = 1\n",
        f"{UNDER}[sustained-load]",
    ),
    Fault(
        "a-sweep-that-lags-skips-what-it-has-not-read",
        "src/chatcore/live/sweep.py",
        "            more = found.more\n",
        "            more = False\n"
        "            if found.more:\n"
        "                self._after = (await self._store.changes(None, 1)).changes[-1].position\n",
        f"{UNDER}[long-room]",
    ),
    Fault(
        "a-page-that-is-cut-does-not-say-so",
        "src/chatcore/commands/reading.py",
        "            has_after = True\n",
        "            pass\n",
        f"{UNDER}[large-bodies]",
    ),
    Fault(
        "a-socket-follows-the-rooms-that-ready-shows",
        "src/chatcore/sockets.py",
        "for row in memberships} if page.next else {}",
        "for row in memberships[:0]}",
        f"{UNDER}[many-rooms]",
    ),
    Fault(
        "sockets-that-lag-push-each-other-out",
        ROOM,
        "        self._behind: deque[Follower] = deque()\n",
        "        self._behind: deque[Follower] = deque(maxlen=8)\n",
        f"{UNDER}[many-sockets]",
    ),
    Fault(
        "markers-are-pushed-in-large-rooms",
        "src/chatcore/live/hub.py",
        "everyone=view.markers is not None",
        "everyone=True",
        f"{UNDER}[many-members]",
    ),
)
