"""The faults that stand for what the simulation brings about beside a failing store: each is found by that alone."""

from .table import ROOM, SIMULATION, Fault

SOCKETS = "src/chatcore/sockets.py"
CANCELLATION = "tests/integration/test_simulation_cancellation.py"
LEAVE = """\
            self._hub.leave(live)
            del self.here[info.id]
            self._deadlines.forget(info.id)
            socket.end()
            live.refresh = None  # it refers to the transport, which refers to the socket: a cycle
"""
REMOVE = """\
            if self._leases:
                await self._leases.remove(info)
"""

FAULTS = (
    Fault(
        "sign-out-ends-at-the-node",
        SOCKETS,
        '        await self._end([one for one in await self.of_user(user) if one.session == session], "signed_out")\n',
        "",
        SIMULATION,
    ),
    Fault(
        "ended-socket-is-renewed",
        "src/chatcore/live/leases.py",
        "        del self._sockets[socket.id]\n",
        "",
        SIMULATION,
    ),
    Fault(
        "socket-leaves-after-the-registry-has-answered",
        SOCKETS,
        LEAVE + REMOVE,
        REMOVE + LEAVE,
        f"{CANCELLATION}::test_no_promise_is_broken_at_whichever_await_a_call_is_cancelled[disconnect]",
    ),
    Fault(
        "access-ends-by-a-timer",
        "src/chatcore/live/deadlines.py",
        "        self._now = now\n",
        "        import asyncio\n\n"
        "        loop = asyncio.get_running_loop()\n"
        "        start, began = now(), loop.time()\n"
        "        self._now = lambda: start + timedelta(seconds=loop.time() - began)\n",
        SIMULATION,
    ),
    Fault(
        "room-ends-with-a-fault-of-its-store",
        ROOM,
        '            except Exception:\n                log.exception("room %s: its task',
        '            except ChatError:\n                log.exception("room %s: its task',
        SIMULATION,
    ),
    Fault(
        "access-ends-only-where-its-second-is-seen",
        "src/chatcore/live/deadlines.py",
        "            if deadline.end <= now:\n",
        "            if deadline.end <= now <= deadline.end + timedelta(seconds=3 * LOOK_S):\n",
        SIMULATION,
    ),
    Fault(
        "commands-that-outlive-their-node-wait-for-ever",
        "src/chatcore/chat.py",
        "            self._hub.abandon()\n",
        "            pass\n",
        SIMULATION,
    ),
    Fault(
        "connection-that-raises-is-not-cut",
        "src/chatcore/live/guarded_connection.py",
        "            self._cut(fault)\n\n    def close",
        "            self._note(fault)\n\n    def close",
        SIMULATION,
    ),
)
