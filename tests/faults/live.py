"""Faults that break the rules of `docs/live.md`, in its order."""

from collections.abc import Mapping, Sequence

from .fault import Fault

RULES = "tests/unit/live/test_rules.py"
RECOVERY = "tests/unit/live/test_recovery.py"
MEMBERSHIP_PUSHES = "tests/unit/live/test_membership_pushes.py"
INVITATIONS = "tests/unit/live/test_invitations.py"
CONCURRENT_READS = "tests/unit/live/test_concurrent_reads.py"
RECENT_HEADS = "tests/unit/live/test_recent_heads.py"
CHAT = "tests/unit/test_chat.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    # The object.
    "A room is not dropped while something waits in it": (
        Fault(
            "room-dropped-with-a-queued-command",
            "chatcore.live:LiveRoom._drop_if_idle",
            "self._running or self._pending()",
            "self._pending() and not self._commands",
            f"{RULES}::test_a_room_is_not_dropped_while_a_command_waits_in_it",
        ),
    ),
    "A follower that lacks more than 200 entries is cut, one that lacks 200 is filled": (
        Fault(
            "follower-cut-at-200-missing-entries",
            "chatcore.live:LiveRoom._fill_one",
            "> MISSING_MAX",
            ">= MISSING_MAX",
            f"{CHAT}::test_follower_that_lacks_more_than_200_entries_is_cut_as_slow",
        ),
    ),
    "The entry of a hint is used only if it follows on the head": (
        Fault(
            "hint-delivered-over-a-gap",
            "chatcore.live:LiveRoom._catch_up",
            " == head + 1",
            "",
            f"{RULES}::test_a_hint_is_checked_for_the_one_before_it_that_was_lost",
        ),
    ),
    "A follow sets the head to its place, not to what hints told": (
        Fault(
            "unknown-head-taken-from-a-hint",
            "chatcore.live:LiveRoom.subscribe",
            "self.started = subscription.seq",
            "self.started = max(subscription.seq, known)",
            f"{RULES}::test_a_room_that_no_hint_told_of_is_found_by_the_poller",
        ),
    ),
    "What a room remembers of a deleted message has no text": (
        Fault(
            "deleted-text-remembered",
            "chatcore.live:EntryBuffer.append",
            "self._redact(entry.event.target)",
            "pass",
            "tests/unit/live/test_entry_buffer.py",
        ),
    ),
    # Following.
    "An entry goes to the followers that are just before it": (
        Fault(
            "entry-delivered-to-followers-above-it",
            "chatcore.live:Subscriptions.deliver",
            "if subscription.seq == entry.seq - 1",
            "",
            f"{RULES}::test_ready_may_be_ahead_of_the_live_room",
        ),
    ),
    "A new member gets the push `room` before the entry": (
        Fault(
            "rejoined-follower-filled-without-room",
            "chatcore.live:LiveRoom._fill_one",
            "(subscription.socket.user,)",
            "() if subscription.member else (subscription.socket.user,)",
            f"{INVITATIONS}::test_who_left_and_came_back_while_a_sync_failed_hears_of_both",
        ),
    ),
    "Its removal is the last entry that a follower gets": (
        Fault(
            "removed-follower-still-a-member",
            "chatcore.live:_change_membership",
            "subscription.member = False",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_who_is_removed_hears_their_removal_and_nothing_above_it",
        ),
    ),
    "The end of an invitation gives the push `room.gone`": (
        Fault(
            "end-of-an-invitation-not-told",
            "chatcore.live:_change_membership",
            "if subscription.member or entry.room in socket.invited:",
            "if subscription.member:",
            f"{MEMBERSHIP_PUSHES}::test_an_invitation_that_ends_is_told_by_room_gone_alone",
        ),
    ),
    "A follower that is no member is dropped when the room rests": (
        Fault(
            "outsider-keeps-following",
            "chatcore.live:LiveRoom._drop_if_idle",
            "if not subscription.member:",
            "if False:",
            f"{MEMBERSHIP_PUSHES}::test_removal_between_reading_rooms_and_subscribing_leaves_no_subscription",
        ),
    ),
    # Membership hints.
    "A hint below the head at which a room began is looked up in the store": (
        Fault(
            "late-hint-of-a-join-dropped",
            "chatcore.live:Hub.take_hint",
            " or seq <= live.started",
            "",
            f"{MEMBERSHIP_PUSHES}::test_late_hint_of_a_join_reaches_a_socket_though_its_room_did_not_begin_below_it",
        ),
    ),
    "A join that was undone within what was read is not announced": (
        Fault(
            "undone-join-announced",
            "chatcore.live:_change_membership",
            ' and room.state == "member"',
            "",
            f"{MEMBERSHIP_PUSHES}::test_invited_user_hears_nothing_of_an_earlier_join_that_was_undone",
        ),
    ),
    # Connecting.
    "Joins while a socket connects are deferred, and followed then": (
        Fault(
            "join-of-a-connecting-socket-lost",
            "chatcore.live:Hub.subscribe_connected",
            "(*subscriptions, *socket.deferred_joins)",
            "subscriptions",
            f"{RULES}::test_a_join_while_a_socket_connects_reaches_it",
        ),
    ),
    "Where the page of `ready` is the whole list, it alone counts": (
        Fault(
            "ended-membership-followed-after-ready",
            "chatcore:Sockets._greet",
            " if page.next else {}",
            "",
            f"{INVITATIONS}::test_what_ended_between_the_two_reads_of_a_connect_is_not_followed",
        ),
    ),
    "What was told of a room that is not alive is remembered for 10 s": (
        Fault(
            "head-of-a-dropped-room-forgotten",
            "chatcore.live:Hub._drop",
            "self._recent_heads.note(room, live.known)",
            "pass",
            f"{CONCURRENT_READS}::test_entry_of_a_room_dropped_while_a_socket_connects_reaches_that_socket",
        ),
        Fault(
            "recent-head-remembered-for-1-second",
            "chatcore.live:REMEMBERED_S",
            "10",
            "1",
            f"{RECENT_HEADS}::test_recent_head_is_remembered_while_a_connecting_socket_reads_its_rooms",
        ),
        Fault(
            "recent-head-taken-back-by-a-late-hint",
            "chatcore.live:RecentHeads.note",
            "max(seq, self._heads.pop(room, (0, now))[0])",
            "(seq, self._heads.pop(room, None))[0]",
            f"{RECENT_HEADS}::test_seq_told_late_does_not_take_a_recent_head_back",
        ),
    ),
    # Sync.
    "No entry overtakes the answer of a `sync` that names its room": (
        Fault(
            "entry-overtakes-a-sync",
            "chatcore.live:Hub.begin_sync",
            "if room in socket.subscriptions",
            "if False",
            f"{RULES}::test_no_entry_overtakes_the_answer_of_a_sync_that_names_its_room",
        ),
    ),
    "Joins during a `sync` are deferred, and followed after its answer": (
        Fault(
            "join-during-a-sync-lost",
            "chatcore.live:Hub.resubscribe",
            "elif joined:",
            "elif False:",
            f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
        ),
        Fault(
            "join-during-a-sync-followed-at-once",
            "chatcore.live:LiveSocket.defer_join",
            " or room in self.syncing_rooms",
            "",
            f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
        ),
    ),
    "A `sync` that fails leaves the socket where it was": (
        Fault(
            "failed-sync-leaves-its-rooms",
            "chatcore.commands:Sync.handle",
            "context.hub.resubscribe(context.socket, self.cursors, held)",
            "context.hub.resubscribe(context.socket, self.cursors, {})",
            f"{RULES}::test_a_sync_that_fails_leaves_the_socket_where_it_was",
        ),
    ),
    "A `sync` that is answered after its socket has ended leaves no room": (
        Fault(
            "ended-socket-follows-after-its-sync",
            "chatcore.live:Hub.subscribe",
            " and not subscription.socket.ended",
            "",
            f"{CONCURRENT_READS}::test_sync_answered_after_its_socket_has_ended_leaves_no_room",
        ),
    ),
    "An invitation is told again after a `sync` that called its room gone": (
        Fault(
            "invitation-not-told-again-after-a-sync",
            "chatcore.live:Hub.end_sync",
            "self.memberships.check_soon(socket.user, room)",
            "pass",
            INVITATIONS,
        ),
    ),
    "A look at the store ends only invitations that were told before it": (
        Fault(
            "younger-invitation-ended-by-a-look",
            "chatcore.live:Memberships._end_invitations",
            "invitations.get(socket) == invited",
            "True",
            f"{INVITATIONS}::test_a_look_that_is_older_than_an_invitation_does_not_end_it",
        ),
    ),
    "An invitation that was pushed while the store was read is asked about again": (
        Fault(
            "invitation-pushed-during-a-read-stays",
            "chatcore.live:Memberships._end_invitations",
            "self.check_soon(user, room)",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_end_of_an_invitation_that_is_read_while_ready_is_pushed_is_pushed",
        ),
    ),
    # Connections.
    "A connection that raises is cut, and every other one gets its pushes": (
        Fault(
            "connection-that-raises-silences-others",
            "chatcore:Sockets.open",
            "GuardedConnection(connection)",
            "connection",
            "tests/unit/live/test_failing_connections.py::test_whichever_connections_raise_all_others_get_every_push",
        ),
    ),
    # Deciding.
    "A command about a message is decided on that message as of the head": (
        Fault(
            "command-decided-on-a-former-message",
            "chatcore.live:LiveRoom._advance",
            "self._commands.forget(entry.event.target, entry.seq)",
            "pass",
            "tests/unit/test_races.py::test_some_order_of_two_simultaneous_commands_explains_what_they_come_to",
        ),
        Fault(
            "message-read-before-the-commands-turn",
            "chatcore.live:gather_facts",
            "if target in changed:",
            "if False:",
            "tests/unit/live/test_target_reads.py",
        ),
    ),
    "A batch ends before a command whose key it has": (
        Fault(
            "batch-with-one-key-twice",
            "chatcore.live:LiveRoom._decide_batch",
            "(pending.user, pending.key) in keys",
            "False",
            f"{RULES}::test_commands_with_one_key_at_once_append_one_entry",
        ),
    ),
    "A refusal is given only after the store has shown nothing above the head": (
        Fault(
            "refusal-on-a-former-state",
            "chatcore.live:LiveRoom._settle",
            "if above.entries:",
            "if False:",
            f"{RULES}::test_a_member_who_joined_on_another_node_a_moment_ago_is_not_refused",
        ),
    ),
    "A key that is in the store gets its first answer instead of a refusal": (
        Fault(
            "refusal-without-looking-for-the-key",
            "chatcore.live:LiveRoom._settle",
            "above.by_key.get((pending.user, pending.key))",
            "None",
            f"{CHAT}::test_a_room_is_created_once_per_key_and_shown_as_of_its_birth",
        ),
    ),
    "An entry answers its command before it is delivered": (
        Fault(
            "entry-delivered-before-its-answer",
            "chatcore.live:LiveRoom._apply",
            "self._commands.finish_by_key(entry)",
            "self._subscriptions.deliver(entry, rooms)\nself._commands.finish_by_key(entry)",
            f"{RULES}::test_a_retry_is_answered_before_its_entry_is_delivered",
        ),
    ),
    "An entry is the command's own only with the same digest": (
        Fault(
            "own-entry-recognised-without-its-digest",
            "chatcore.domain:outcome_of_used_key",
            "!= command.digest",
            "is None",
            f"{RULES}::test_ones_own_entry_is_not_taken_for_anothers_with_the_same_key",
        ),
    ),
    "An entry answers no command before an earlier one of the same socket": (
        Fault(
            "retry-answered-before-an-earlier-command",
            "chatcore.live:CommandQueue.finish_by_key",
            "if pending.socket is not None and next(iter(self._by_socket[pending.socket])) is not pending:",
            "if False:",
            f"{RULES}::test_retry_found_in_an_entry_is_answered_after_earlier_commands_of_its_socket",
        ),
    ),
    "`duplicate` is false for an entry that the command's own append may have written": (
        Fault(
            "entry-before-the-first-try-not-a-duplicate",
            "chatcore.domain:outcome_of_used_key",
            " and entry.seq > unsure_above",
            "",
            f"{RECOVERY}::test_entry_that_stood_before_the_first_try_is_a_duplicate",
        ),
    ),
    "`key_reused` follows from what the store says, not from what was read before": (
        Fault(
            "key-reused-after-a-deletion",
            "chatcore.live:CommandQueue.finish_by_key",
            "if isinstance(outcome, CommandDone):",
            "if True:",
            f"{RULES}::test_retry_after_deletion_of_a_message_read_before_gets_its_first_answer",
        ),
    ),
    "After an append of unknown outcome the room reads on": (
        Fault(
            "unknown-outcome-taken-as-failure",
            "chatcore.live:LiveRoom._append",
            "appended = await self._context.store.append([entry for _, entry in batch])",
            "self._unsure = False\n"
            "try:\n"
            "    appended = await self._context.store.append([entry for _, entry in batch])\n"
            "except Unavailable:\n"
            "    self.fail(Unavailable())\n"
            "    raise",
            f"{RULES}::test_a_write_whose_outcome_is_unknown_is_written_once_and_answered",
        ),
    ),
    "A command is answered after the append": (
        Fault(
            "append-acknowledged-before-it-is-written",
            "chatcore.live:LiveRoom._append",
            "self._unsure = True",
            "self._unsure = True\nfor pending, entry in batch:\n    self._commands.finish(pending, CommandDone(entry))",
            f"{RULES}::test_a_store_that_stays_away_fails_a_command_after_five_seconds",
        ),
    ),
    "A command fails 5 s after its queueing, with all of its socket in that room": (
        Fault(
            "queued-command-never-expires",
            "chatcore.live:Hub._watch",
            "self.timeouts.watch(self._rooms[room])",
            "pass",
            f"{RECOVERY}::test_command_at_a_store_that_never_answers_fails_after_five_seconds",
        ),
        Fault(
            "commands-of-a-socket-expire-one-by-one",
            "chatcore.live:CommandQueue.expire",
            " or pending.socket in failed",
            "",
            f"{RECOVERY}::test_commands_of_a_socket_fail_with_its_first_that_expires",
        ),
    ),
    "A step is given up after 5 s": (
        Fault(
            "room-held-up-by-a-store-that-never-answers",
            "chatcore.live:LiveRoom._run",
            "step = self._step_with_limit",
            "pass",
            f"{RULES}::test_store_that_hangs_when_asked_again_fails_a_command_after_five_seconds",
        ),
    ),
    # Receiving.
    "A socket has at most 64 unanswered commands, refused ones included": (
        Fault(
            "refused-commands-not-bounded",
            "chatcore:Socket._refuse",
            "await self._wait_for_a_place()",
            "pass",
            f"{CHAT}::test_refused_commands_count_as_unanswered_while_they_wait",
        ),
    ),
    "A command that reads waits until the socket has nothing unanswered": (
        Fault(
            "reading-overtakes-commands",
            "chatcore:Socket.receive",
            "await self._live.in_flight.at_most(0)",
            "pass",
            f"{CHAT}::test_a_command_sees_what_its_socket_sent_before_it",
        ),
    ),
    "A refusal takes its place behind the commands of its socket, and is given at once where there are none": (
        Fault(
            "refusal-by-a-limit-overtakes-commands",
            "chatcore.commands:CommandDispatcher.submit",
            "self.refuse(room, user, refusal, reply, socket)",
            "reply(refusal)",
            "tests/unit/test_chat_limits.py::test_refused_message_keeps_its_place_and_takes_later_ones_along",
        ),
    ),
    "A command is carried out once it is queued, also if its caller is cancelled": (
        Fault(
            "queued-command-withdrawn-with-its-caller",
            "chatcore:Chat._append",
            "result = await answered.take()",
            "try:\n    result = await answered.take()\nexcept BaseException:\n    self._hub.abandon()\n    raise",
            f"{CHAT}::test_a_caller_that_is_cancelled_after_queueing_has_written",
        ),
    ),
}
