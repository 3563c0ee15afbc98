"""Faults that only the simulation finds. `docs/simulation.md` has the rates, and `rates` counts them again.

Faults that also have a quick test are in `live`.
"""

from collections.abc import Mapping, Sequence

from .fault import Fault

SIMULATION = "tests/integration/test_simulation.py"
CANCELLATION = "tests/integration/test_simulation_cancellation.py"
UNDER_STRESS = f"{SIMULATION}::test_stress_breaks_no_promise"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "A block holds on the node that made it as soon as it is answered": (
        Fault(
            "block-answered-before-it-is-noted",
            "chatcore.live:Hub.note_block",
            None,
            "pass",
            SIMULATION,
        ),
    ),
    "Public rooms are found at the place of their present title": (
        Fault(
            "public-room-keeps-its-first-place",
            "chatcore.domain.room_projection:RoomProjection._apply",
            "if entry.opens or isinstance(entry.event, Updated):",
            "if entry.opens:",
            f"{SIMULATION}::test_campaign_breaks_no_promise_and_everything_occurs_often",
        ),
    ),
    "An outcome without an entry is returned only after the store was read": (
        Fault(
            "unchanged-answered-without-read",
            "chatcore.live:LiveRoom._settle",
            "self._refuse_first()",
            "self._refuse_first() or ((one := self._commands.first()) and not self._decide(state, one, one.command)"
            " and not self._commands.finish(one, CommandDone(None)))",
            SIMULATION,
        ),
    ),
    "A batch ends at the first refused command": (
        Fault(
            "batch-continues-after-refusal",
            "chatcore.live:LiveRoom._decide_batch",
            "if not isinstance(entry, Entry):",
            "if not isinstance(entry, Entry):\n    continue\nif False:",
            SIMULATION,
        ),
    ),
    "No hint is published before its entry is durable": (
        Fault(
            "hint-published-before-append",
            "chatcore.live:LiveRoom.next_batch",
            "self._unsure = True",
            "self._unsure = True\nself._context.publish([entry for _, entry in self._batch])",
            SIMULATION,
        ),
    ),
    "An ended session ends its sockets on every node": (
        Fault(
            "sign-out-ends-sockets-of-own-node-only",
            "chatcore:Sockets.close_session",
            "[info for info in await self.of_user(user) if info.session == session]",
            "[]",
            SIMULATION,
        ),
    ),
    "The registry lists exactly the open sockets": (
        Fault(
            "ended-socket-stays-in-lease",
            "chatcore.live:Leases.remove",
            "del self._sockets[socket.id]",
            "pass",
            SIMULATION,
        ),
        Fault(
            "socket-leaves-only-after-registry-answers",
            "chatcore:Sockets.open",
            "finally:",
            "finally:\n    if self._leases:\n        await self._leases.add(info)",
            f"{CANCELLATION}::test_call_cancelled_at_any_await_breaks_no_promise[disconnect]",
        ),
    ),
    "Access ends by the clock, also after a jump or a blocked event loop": (
        Fault(
            "access-ends-by-timer",
            "chatcore.live:AccessExpiry.__init__",
            "self._now = now",
            "from anyio import current_time\n"
            "start, began = now(), current_time()\n"
            "self._now = lambda: start + timedelta(seconds=current_time() - began)",
            SIMULATION,
        ),
        Fault(
            "access-ends-only-near-its-deadline",
            "chatcore.live:AccessExpiry.watch",
            "deadline.end <= now",
            "deadline.end <= now <= deadline.end + timedelta(seconds=3 * CHECK_INTERVAL_S)",
            SIMULATION,
        ),
    ),
    "A room continues after a store raised an undeclared exception": (
        Fault(
            "room-ends-with-exception-of-store",
            "chatcore.live:LiveRoom._run",
            "except Exception:",
            "except ChatError:",
            SIMULATION,
        ),
    ),
    "Every command is answered, also when its node stops": (
        Fault(
            "pending-commands-not-answered-at-exit",
            "chatcore:Chat.__aexit__",
            "self._hub.abandon()",
            "pass",
            SIMULATION,
        ),
    ),
    "A connection that raised gets no further push": (
        Fault(
            "connection-that-raised-not-cut",
            "chatcore.live:GuardedConnection.send",
            "self._cut(fault)",
            "self._note(fault)",
            SIMULATION,
        ),
    ),
    "A user whose typing another user must not see is not shown": (
        Fault(
            "typing-shown-across-blocks",
            "chatcore.live:_Typist.is_shown_to",
            " or user in self.blocked",
            "",
            SIMULATION,
        ),
    ),
    "Typing of users on other nodes ends there by itself": (
        Fault(
            "typing-of-other-nodes-never-ends",
            "chatcore.live:Typing._look",
            "typist.until <= now",
            "typist.until <= now and not isinstance(typist.by, str)",
            SIMULATION,
        ),
    ),
    "A busy room carries out its commands in batches": (
        Fault(
            "batch-of-one-command",
            "chatcore.live:BATCH_MAX",
            "500",
            "1",
            f"{UNDER_STRESS}[sustained-load]",
        ),
    ),
    "The change poller finds every change": (
        Fault(
            "poller-skips-changes-above-one-page",
            "chatcore.live:ChangePoller.poll",
            "more = page.more",
            "more = False\nif page.more:\n    self._after = (await self._store.changes(None, 1)).changes[-1].position",
            f"{UNDER_STRESS}[long-room]",
        ),
    ),
    "A page that is cut for its size reports it": (
        Fault(
            "cut-page-without-has-after",
            "chatcore.commands:_cut",
            "has_after = True",
            "pass",
            f"{UNDER_STRESS}[large-bodies]",
        ),
    ),
    "A socket gets the entries of all rooms of its user": (
        Fault(
            "rooms-beyond-ready-not-subscribed",
            "chatcore:Sockets._greet",
            "*overview.memberships, ",
            "",
            f"{UNDER_STRESS}[many-rooms]",
        ),
    ),
    "Every subscription below the head is filled": (
        Fault(
            "only-eight-subscriptions-filled",
            "chatcore.live:LiveRoom.subscribe",
            "self._behind.append(subscription)",
            "self._behind = [*self._behind, subscription][-8:]",
            f"{UNDER_STRESS}[many-sockets]",
        ),
    ),
    "Markers are pushed in rooms of at most 20 members": (
        Fault(
            "markers-pushed-in-large-rooms",
            "chatcore.live:Hub.marker_changed",
            "everyone=view.markers is not None",
            "everyone=True",
            f"{UNDER_STRESS}[many-members]",
        ),
    ),
}
