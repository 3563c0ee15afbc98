"""The faults: where the code is right, what makes it wrong, and the test that must notice."""

from attrs import frozen

ROOM = "src/chatcore/live/room.py"
RULES = "tests/unit/live/test_rules.py"
RECOVERY = "tests/unit/live/test_recovery.py"
SIMULATION = "tests/integration/test_simulation.py"


@frozen
class Fault:
    """``right`` stands exactly once in ``file``; replaced by ``wrong``, ``test`` (a pytest node) must fail."""

    name: str
    file: str
    right: str
    wrong: str
    test: str


FAULTS = (
    Fault(
        "store-that-never-answers-holds-a-room-up-for-ever",
        ROOM,
        "            step = self._step_with_limit\n",
        "",
        f"{RULES}::test_a_store_that_hangs_when_it_is_asked_again_fails_a_command_after_five_seconds",
    ),
    Fault(
        "step-is-given-up-with-the-first-command",
        ROOM,
        "anyio.CancelScope(deadline=current_time() + STEP_S)",
        "anyio.CancelScope(deadline=min([one.deadline for one in self._waiting], default=current_time() + STEP_S))",
        f"{RECOVERY}::test_busy_room_serves_again_within_a_second_of_the_stores_return",
    ),
    Fault(
        "commands-do-not-expire",
        "src/chatcore/live/hub.py",
        "            self.timeouts.watch(live)\n",
        "",
        f"{RECOVERY}::test_busy_room_serves_again_within_a_second_of_the_stores_return",
    ),
    Fault(
        "commands-of-a-socket-expire-one-by-one",
        "src/chatcore/live/waiting.py",
        "            if item.deadline <= now or item.socket in failed:",
        "            if item.deadline <= now:",
        f"{RECOVERY}::test_commands_of_a_socket_fail_with_its_first_that_expires",
    ),
    Fault(
        "entry-from-before-the-first-try-is-ones-own",
        "src/chatcore/live/waiting.py",
        "waiting.tried_above is not None and entry.seq > waiting.tried_above",
        "waiting.tried_above is not None",
        f"{RECOVERY}::test_entry_that_stood_before_the_first_try_is_a_duplicate",
    ),
    Fault(
        "entry-below-the-first-try-is-ones-own",
        ROOM,
        "                waiting.tried_above = entry.seq - 1\n",
        "                waiting.tried_above = self.head\n",
        f"{RECOVERY}::test_entry_below_the_seq_of_every_try_is_a_duplicate",
    ),
    Fault(
        "only-the-first-try-is-ones-own",
        ROOM,
        "            if waiting.tried_above is None or entry.seq <= waiting.tried_above:\n",
        "            if waiting.tried_above is None:\n",
        f"{RECOVERY}::test_entry_tried_again_at_a_lower_seq_is_the_commands_own",
    ),
    Fault(
        "contents-of-a-key-run-into-each-other",
        "src/chatcore/commands/command.py",
        'f"{len(value)}:{value}"',
        "value",
        "tests/unit/test_domain.py::test_contents_have_one_digest_exactly_when_they_are_equal",
    ),
    Fault(
        "who-comes-back-in-a-fill-is-told-nothing",
        "src/chatcore/live/room.py",
        "        rooms = await self._announcements(missing, (follower.socket.user,))",
        "        rooms = await self._announcements(missing, () if follower.member else (follower.socket.user,))",
        "tests/unit/live/test_invitations.py",
    ),
    Fault(
        "a-look-ends-an-invitation-that-is-younger",
        "src/chatcore/live/memberships.py",
        "            elif socket in told and socket.invited.get(room) == told[socket]:",
        "            elif room in socket.invited:",
        "tests/unit/live/test_invitations.py",
    ),
    Fault(
        "an-invitation-behind-a-lost-membership-is-not-told-after-a-sync",
        "src/chatcore/live/hub.py",
        "            elif room in socket.invited or room in held:",
        "            elif room in socket.invited:",
        "tests/unit/live/test_invitations.py",
    ),
    Fault(
        "a-room-remembers-a-deleted-text",
        "src/chatcore/live/tail.py",
        "            self._redact(entry.event.target)",
        "            pass",
        "tests/unit/live/test_tail.py",
    ),
    Fault(
        "every-entry-makes-a-target-stale",
        "src/chatcore/live/facts.py",
        "    return facts.as_of is not None and facts.as_of <= head",
        "    return facts.as_of == head",
        "tests/unit/live/test_targets.py",
    ),
    Fault(
        "a-target-is-read-before-its-turn",
        "src/chatcore/live/facts.py",
        "        if target in changed:",
        "        if False:",
        "tests/unit/live/test_targets.py",
    ),
    Fault(
        "acknowledge-before-commit",
        "src/adapters/chatcore_sqlite/threads.py",
        "        return self._commit(connection, jobs)",
        "        self._desk.settle(jobs)\n        return self._commit(connection, jobs)",
        "tests/integration/test_sqlite_faults.py",
    ),
    Fault(
        "acknowledge-before-append",
        ROOM,
        "        appended = await self._around.store.append([entry for _, entry in batch])",
        "        for waiting, entry in batch:\n"
        "            self._waiting.finish(waiting, Done(entry))\n"
        "        appended = await self._around.store.append([entry for _, entry in batch])",
        f"{RULES}::test_a_store_that_stays_away_fails_a_command_after_five_seconds",
    ),
    Fault(
        "key-not-unique",
        "src/adapters/chatcore_sqlite/schema.py",
        "CREATE UNIQUE INDEX entries_by_key",
        "CREATE INDEX entries_by_key",
        "tests/integration/test_sqlite_store.py",
    ),
    Fault(
        "membership-not-checked",
        "src/chatcore/domain/permissions.py",
        "    if kind is not None and its_rank in rights[action][kind]:",
        "    if kind is not None:",
        "tests/unit/test_chat.py::test_public_rooms_can_be_looked_at_groups_and_private_ones_not",
    ),
    Fault(
        "private-id-not-escaped",
        "src/chatcore/ids.py",
        '    return f"pvt-{_escape(first)}-{_escape(second)}"',
        '    return f"pvt-{first}-{second}"',
        "tests/unit/test_ids.py",
    ),
    Fault(
        "hint-delivered-over-a-gap",
        ROOM,
        "hinted.seq == told == head + 1:",
        "hinted.seq == told:",
        f"{RULES}::test_a_hint_is_checked_for_the_one_before_it_that_was_lost",
    ),
    Fault(
        "head-unknown-taken-as-the-hints",
        ROOM,
        "        if self.head is None:\n            self.head = self.started = place.after",
        "        if self.head is None:\n            self.head = self.started = max(place.after, known)",
        f"{RULES}::test_a_room_that_no_hint_told_of_is_found_by_the_sweep",
    ),
    Fault(
        "no-sweep",
        "src/chatcore/live/sweep.py",
        "SWEEP_S = 2\n",
        "SWEEP_S = 9\n",
        f"{RULES}::test_a_room_that_no_hint_told_of_is_found_by_the_sweep",
    ),
    Fault(
        "a-sweep-asks-once",
        "src/chatcore/live/sweep.py",
        "            more = found.more\n",
        "            more = False\n",
        f"{RULES}::test_one_sweep_asks_as_long_as_the_store_has_more",
    ),
    Fault(
        "two-live-rooms",
        ROOM,
        "        if self._running or self._pending():\n            return",
        "        if self._pending() and not self._waiting:\n            return",
        f"{RULES}::test_a_room_is_not_dropped_while_a_command_waits_in_it",
    ),
    Fault(
        "unknown-outcome-taken-as-failure",
        ROOM,
        "        self._unsure = True\n"
        "        appended = await self._around.store.append([entry for _, entry in batch])",
        "        try:\n"
        "            appended = await self._around.store.append([entry for _, entry in batch])\n"
        "        except Unavailable:\n"
        "            self.fail(Unavailable())\n"
        "            raise",
        f"{RULES}::test_a_write_whose_outcome_is_unknown_is_written_once_and_answered",
    ),
    Fault(
        "own-entry-recognised-without-its-digest",
        "src/chatcore/live/waiting.py",
        "    if entry.digest is not None and entry.digest != command.digest:",
        "    if entry.digest is None:",
        f"{RULES}::test_ones_own_entry_is_not_taken_for_anothers_with_the_same_key",
    ),
    Fault(
        "refusal-without-asking-the-store",
        ROOM,
        "        if news.entries:\n            await self._apply(news.entries)\n            return",
        "",
        f"{RULES}::test_a_member_who_joined_on_another_node_a_moment_ago_is_not_refused",
    ),
    Fault(
        "refusal-without-looking-for-the-key",
        ROOM,
        "            if entry := news.first.get((waiting.user, waiting.key)):",
        "            if entry := None:",
        "tests/unit/test_chat.py::test_a_room_is_created_once_per_key_and_shown_as_of_its_birth",
    ),
    Fault(
        "joins-of-a-connecting-socket-not-noted",
        "src/chatcore/live/hub.py",
        "        self.release(socket, list(dict.fromkeys((*places, *socket.noted))), places)",
        "        self.release(socket, places.keys(), places)",
        f"{RULES}::test_a_join_while_a_socket_connects_reaches_it",
    ),
    Fault(
        "joins-during-a-sync-not-noted",
        "src/chatcore/live/hub.py",
        "            elif noted:",
        "            elif False:",
        f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
    ),
    Fault(
        "entries-overtake-a-sync",
        "src/chatcore/live/hub.py",
        "        held = {room: socket.rooms[room].unfollow(socket) for room in rooms if room in socket.rooms}",
        "        held: dict[RoomId, Place] = {}",
        f"{RULES}::test_no_entry_overtakes_the_answer_of_a_sync_that_names_its_room",
    ),
    Fault(
        "later-ones-do-not-fail-alike",
        "src/chatcore/live/waiting.py",
        "        if isinstance(outcome, ChatError) and outcome.temporary and waiting.socket is not None:",
        "        if False:",
        "tests/unit/test_chat.py::test_a_temporary_failure_takes_the_later_commands_of_that_socket_to_that_room_along",
    ),
    Fault(
        "key-reused-by-what-was-read-before",
        "src/chatcore/live/waiting.py",
        "            if not isinstance(outcome, Done):",
        "            if outcome is None:",
        f"{RULES}::test_retry_after_a_deletion_gets_its_first_answer_where_the_message_was_read_before_it",
    ),
    Fault(
        "delivered-before-answered",
        ROOM,
        "            self._waiting.finish_from(entry)\n"
        "            self._advance(entry)\n"
        "            self._followers.deliver(entry, rooms)",
        "            self._advance(entry)\n"
        "            self._followers.deliver(entry, rooms)\n"
        "            self._waiting.finish_from(entry)",
        f"{RULES}::test_a_retry_is_answered_before_its_entry_is_delivered",
    ),
    Fault(
        "a-join-follows-during-a-sync",
        "src/chatcore/live/user.py",
        "        held = self.connecting or room in self.syncing",
        "        held = self.connecting",
        f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
    ),
    Fault(
        "nothing-changes-without-looking",
        ROOM,
        "        items = list(self._waiting)[:BATCH_MAX]",
        "        if first and not self._decide(state, first, first.command):\n"
        "            self._waiting.finish(first, Done(None))\n"
        "            return\n"
        "        items = list(self._waiting)[:BATCH_MAX]",
        SIMULATION,
    ),
    Fault(
        "an-invitation-is-not-told-again-after-a-sync",
        "src/chatcore/live/hub.py",
        "                self.memberships.doubt(socket.user, room)\n\n    def connected",
        "                pass\n\n    def connected",
        "tests/unit/live/test_invitations.py",
    ),
    Fault(
        "a-batch-goes-on-behind-a-refusal",
        ROOM,
        "            if not isinstance(entry, Entry):\n                break",
        "            if not isinstance(entry, Entry):\n                continue",
        SIMULATION,
    ),
    Fault(
        "published-before-commit",
        ROOM,
        "        appended = await self._around.store.append([entry for _, entry in batch])",
        "        self._around.publish([entry for _, entry in batch])\n"
        "        appended = await self._around.store.append([entry for _, entry in batch])",
        SIMULATION,
    ),
    Fault(
        "a-follower-stays-after-its-removal",
        "src/chatcore/live/followers.py",
        "                _tell_gone(socket, entry)\n            follower.member = False",
        "                _tell_gone(socket, entry)",
        SIMULATION,
    ),
)
