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
    "A room is not dropped while a command is pending in it": (
        Fault(
            "room-dropped-with-pending-command",
            "chatcore.live:LiveRoom._drop_if_idle",
            "self._running or self._pending()",
            "self._pending() and not self._commands",
            f"{RULES}::test_a_room_is_not_dropped_while_a_command_waits_in_it",
        ),
    ),
    "A subscription that lacks more than 200 entries is cut; with 200 it is filled": (
        Fault(
            "subscription-cut-at-200-missing-entries",
            "chatcore.live:LiveRoom._fill_one",
            "> MISSING_MAX",
            ">= MISSING_MAX",
            f"{CHAT}::test_follower_that_lacks_more_than_200_entries_is_cut_as_slow",
        ),
    ),
    "The entry of a hint is used only if its seq is head + 1": (
        Fault(
            "hint-delivered-over-gap",
            "chatcore.live:LiveRoom._catch_up",
            " == head + 1",
            "",
            f"{RULES}::test_a_hint_is_checked_for_the_one_before_it_that_was_lost",
        ),
    ),
    "A first subscription sets the head to its own seq, not to that of a hint": (
        Fault(
            "unknown-head-taken-from-hint",
            "chatcore.live:LiveRoom.subscribe",
            "self.started = subscription.seq",
            "self.started = max(subscription.seq, known)",
            f"{RULES}::test_a_room_that_no_hint_told_of_is_found_by_the_poller",
        ),
    ),
    "The entry buffer of a room holds no text of a deleted message": (
        Fault(
            "deleted-text-stays-in-buffer",
            "chatcore.live:EntryBuffer.append",
            "self._redact(entry.event.target)",
            "pass",
            "tests/unit/live/test_entry_buffer.py",
        ),
    ),
    # Subscriptions.
    "An entry is pushed to the subscriptions at the seq before it": (
        Fault(
            "entry-pushed-to-subscriptions-above-it",
            "chatcore.live:Subscriptions.deliver",
            "if subscription.seq == entry.seq - 1",
            "",
            f"{RULES}::test_ready_may_be_ahead_of_the_live_room",
        ),
    ),
    "A new member gets the push `room` before the entry": (
        Fault(
            "rejoined-subscription-filled-without-room",
            "chatcore.live:LiveRoom._fill_one",
            "(subscription.socket.user,)",
            "() if subscription.member else (subscription.socket.user,)",
            f"{INVITATIONS}::test_who_left_and_came_back_while_a_sync_failed_hears_of_both",
        ),
    ),
    "The last entry that a removed member gets is the removal": (
        Fault(
            "removed-member-still-subscribed",
            "chatcore.live:_change_membership",
            "subscription.member = False",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_who_is_removed_hears_their_removal_and_nothing_above_it",
        ),
    ),
    "The end of an invitation gives the push `room.gone`": (
        Fault(
            "end-of-invitation-not-pushed",
            "chatcore.live:_change_membership",
            "if subscription.member or entry.room in socket.invited:",
            "if subscription.member:",
            f"{MEMBERSHIP_PUSHES}::test_an_invitation_that_ends_is_told_by_room_gone_alone",
        ),
    ),
    "A subscription without membership is dropped when the room is idle": (
        Fault(
            "subscription-without-membership-kept",
            "chatcore.live:LiveRoom._drop_if_idle",
            "if not subscription.member:",
            "if False:",
            f"{MEMBERSHIP_PUSHES}::test_removal_between_reading_rooms_and_subscribing_leaves_no_subscription",
        ),
    ),
    # Membership hints.
    "A hint below the head at which a room started is looked up in the store": (
        Fault(
            "late-hint-of-join-dropped",
            "chatcore.live:Hub.take_hint",
            " or seq <= live.started",
            "",
            f"{MEMBERSHIP_PUSHES}::test_late_hint_of_a_join_reaches_a_socket_though_its_room_did_not_begin_below_it",
        ),
    ),
    "A join that a later entry of the same read undoes is not announced": (
        Fault(
            "undone-join-announced",
            "chatcore.live:_change_membership",
            ' and room.state == "member"',
            "",
            f"{MEMBERSHIP_PUSHES}::test_invited_user_hears_nothing_of_an_earlier_join_that_was_undone",
        ),
    ),
    # Connecting.
    "Joins while a socket connects are deferred, and subscribed to afterwards": (
        Fault(
            "join-of-connecting-socket-lost",
            "chatcore.live:Hub.subscribe_connected",
            "(*subscriptions, *socket.deferred_joins)",
            "subscriptions",
            f"{RULES}::test_a_join_while_a_socket_connects_reaches_it",
        ),
    ),
    "If the page of `ready` is the whole list, no other room is subscribed to": (
        Fault(
            "ended-membership-subscribed-after-ready",
            "chatcore:Sockets._greet",
            " if page.next else {}",
            "",
            f"{INVITATIONS}::test_what_ended_between_the_two_reads_of_a_connect_is_not_followed",
        ),
    ),
    "The recent head of a room that is not live is kept for 10 s": (
        Fault(
            "head-of-dropped-room-forgotten",
            "chatcore.live:Hub._drop",
            "self._recent_heads.note(room, live.known)",
            "pass",
            f"{CONCURRENT_READS}::test_entry_of_a_room_dropped_while_a_socket_connects_reaches_that_socket",
        ),
        Fault(
            "recent-head-kept-for-1-second",
            "chatcore.live:REMEMBERED_S",
            "10",
            "1",
            f"{RECENT_HEADS}::test_recent_head_is_remembered_while_a_connecting_socket_reads_its_rooms",
        ),
        Fault(
            "recent-head-moved-back-by-late-hint",
            "chatcore.live:RecentHeads.note",
            "max(seq, self._heads.pop(room, (0, now))[0])",
            "(seq, self._heads.pop(room, None))[0]",
            f"{RECENT_HEADS}::test_seq_told_late_does_not_take_a_recent_head_back",
        ),
    ),
    # Sync.
    "No entry overtakes the answer of a `sync` that names its room": (
        Fault(
            "entry-overtakes-sync",
            "chatcore.live:Hub.begin_sync",
            "if room in socket.subscriptions",
            "if False",
            f"{RULES}::test_no_entry_overtakes_the_answer_of_a_sync_that_names_its_room",
        ),
    ),
    "Joins during a `sync` are deferred, and subscribed to after its answer": (
        Fault(
            "join-during-sync-lost",
            "chatcore.live:Hub.resubscribe",
            "elif joined:",
            "elif False:",
            f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
        ),
        Fault(
            "join-during-sync-subscribed-at-once",
            "chatcore.live:LiveSocket.defer_join",
            " or room in self.syncing_rooms",
            "",
            f"{RULES}::test_a_join_during_a_sync_that_names_the_room_is_not_lost",
        ),
    ),
    "A `sync` that fails leaves the subscriptions of its socket unchanged": (
        Fault(
            "failed-sync-drops-subscriptions",
            "chatcore.commands:Sync.handle",
            "context.hub.resubscribe(context.socket, self.cursors, held)",
            "context.hub.resubscribe(context.socket, self.cursors, {})",
            f"{RULES}::test_a_sync_that_fails_leaves_the_socket_where_it_was",
        ),
    ),
    "A `sync` that is answered after the end of its socket leaves no live room": (
        Fault(
            "ended-socket-subscribed-after-sync",
            "chatcore.live:Hub.subscribe",
            " and not subscription.socket.ended",
            "",
            f"{CONCURRENT_READS}::test_sync_answered_after_its_socket_has_ended_leaves_no_room",
        ),
    ),
    "An invitation is pushed again after a `sync` that reported its room as gone": (
        Fault(
            "invitation-not-pushed-again-after-sync",
            "chatcore.live:Hub.end_sync",
            "self.memberships.check_soon(socket.user, room)",
            "pass",
            INVITATIONS,
        ),
    ),
    "A read of the store ends only invitations that were pushed before it": (
        Fault(
            "later-invitation-ended-by-earlier-read",
            "chatcore.live:Memberships._end_invitations",
            "invitations.get(socket) == invited",
            "True",
            f"{INVITATIONS}::test_a_look_that_is_older_than_an_invitation_does_not_end_it",
        ),
    ),
    "An invitation that was pushed while the store was read is checked again": (
        Fault(
            "invitation-pushed-during-read-not-checked",
            "chatcore.live:Memberships._end_invitations",
            "self.check_soon(user, room)",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_end_of_an_invitation_that_is_read_while_ready_is_pushed_is_pushed",
        ),
    ),
    # Connections.
    "A connection that raises is cut, and all other connections get their pushes": (
        Fault(
            "connection-that-raises-silences-others",
            "chatcore:Sockets.open",
            "GuardedConnection(connection)",
            "connection",
            "tests/unit/live/test_failing_connections.py::test_whichever_connections_raise_all_others_get_every_push",
        ),
    ),
    # Deciding.
    "A command about a message is decided on the message as of the head": (
        Fault(
            "command-decided-on-outdated-message",
            "chatcore.live:LiveRoom._advance",
            "self._commands.forget(entry.event.target, entry.seq)",
            "pass",
            "tests/unit/test_races.py::test_some_order_of_two_simultaneous_commands_explains_what_they_come_to",
        ),
        Fault(
            "message-read-before-turn-of-command",
            "chatcore.live:gather_facts",
            "if target in changed:",
            "if False:",
            "tests/unit/live/test_target_reads.py",
        ),
    ),
    "A batch ends before a command with a key of the batch": (
        Fault(
            "batch-with-same-key-twice",
            "chatcore.live:LiveRoom._decide_batch",
            "(pending.user, pending.key) in keys",
            "False",
            f"{RULES}::test_commands_with_one_key_at_once_append_one_entry",
        ),
    ),
    "A refusal is given only after the store has returned no entry above the head": (
        Fault(
            "refusal-on-outdated-state",
            "chatcore.live:LiveRoom._settle",
            "if above.entries:",
            "if False:",
            f"{RULES}::test_a_member_who_joined_on_another_node_a_moment_ago_is_not_refused",
        ),
    ),
    "A command with a key in the store gets the first answer instead of a refusal": (
        Fault(
            "refusal-without-lookup-of-key",
            "chatcore.live:LiveRoom._settle",
            "above.by_key.get((pending.user, pending.key))",
            "None",
            f"{CHAT}::test_a_room_is_created_once_per_key_and_shown_as_of_its_birth",
        ),
    ),
    "A command is answered before its entry is pushed": (
        Fault(
            "entry-pushed-before-its-answer",
            "chatcore.live:LiveRoom._apply",
            "self._commands.finish_by_key(entry)",
            "self._subscriptions.deliver(entry, rooms)\nself._commands.finish_by_key(entry)",
            f"{RULES}::test_a_retry_is_answered_before_its_entry_is_delivered",
        ),
    ),
    "An entry is the result of a command only with the same content digest": (
        Fault(
            "own-entry-recognized-without-digest",
            "chatcore.domain:outcome_of_used_key",
            "!= command.digest",
            "is None",
            f"{RULES}::test_ones_own_entry_is_not_taken_for_anothers_with_the_same_key",
        ),
    ),
    "An entry answers no command before an earlier command of the same socket": (
        Fault(
            "retry-answered-before-earlier-command",
            "chatcore.live:CommandQueue.finish_by_key",
            "if pending.socket is not None and next(iter(self._by_socket[pending.socket])) is not pending:",
            "if False:",
            f"{RULES}::test_retry_found_in_an_entry_is_answered_after_earlier_commands_of_its_socket",
        ),
    ),
    "`duplicate` is false for an entry that the command's own append may have written": (
        Fault(
            "entry-before-first-try-not-a-duplicate",
            "chatcore.domain:outcome_of_used_key",
            " and entry.seq > unsure_above",
            "",
            f"{RECOVERY}::test_entry_that_stood_before_the_first_try_is_a_duplicate",
        ),
    ),
    "`key_reused` is decided on the store, not on an earlier read": (
        Fault(
            "key-reused-after-deletion",
            "chatcore.live:CommandQueue.finish_by_key",
            "if isinstance(outcome, CommandDone):",
            "if True:",
            f"{RULES}::test_retry_after_deletion_of_a_message_read_before_gets_its_first_answer",
        ),
    ),
    "After an append of unknown outcome the room reads the log": (
        Fault(
            "unknown-outcome-treated-as-failure",
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
            "append-acknowledged-before-write",
            "chatcore.live:LiveRoom._append",
            "self._unsure = True",
            "self._unsure = True\nfor pending, entry in batch:\n    self._commands.finish(pending, CommandDone(entry))",
            f"{RULES}::test_a_store_that_stays_away_fails_a_command_after_five_seconds",
        ),
    ),
    "A command fails 5 s after queueing, with all commands of its socket in that room": (
        Fault(
            "queued-command-never-expires",
            "chatcore.live:Hub._watch",
            "self.timeouts.watch(self._rooms[room])",
            "pass",
            f"{RECOVERY}::test_command_at_a_store_that_never_answers_fails_after_five_seconds",
        ),
        Fault(
            "commands-of-socket-expire-one-by-one",
            "chatcore.live:CommandQueue.expire",
            " or pending.socket in failed",
            "",
            f"{RECOVERY}::test_commands_of_a_socket_fail_with_its_first_that_expires",
        ),
    ),
    "A step of a room ends after 5 s at the latest": (
        Fault(
            "room-blocked-by-store-that-never-answers",
            "chatcore.live:LiveRoom._run",
            "step = self._step_with_limit",
            "pass",
            f"{RULES}::test_store_that_hangs_when_asked_again_fails_a_command_after_five_seconds",
        ),
    ),
    # Receiving.
    "A socket has at most 64 commands in flight, refused commands included": (
        Fault(
            "refused-commands-not-counted-in-flight",
            "chatcore:Socket._refuse",
            "await self._wait_for_a_place()",
            "pass",
            f"{CHAT}::test_refused_commands_count_as_unanswered_while_they_wait",
        ),
    ),
    "A reading command waits until its socket has no command in flight": (
        Fault(
            "reading-command-overtakes-others",
            "chatcore:Socket.receive",
            "await self._live.in_flight.at_most(0)",
            "pass",
            f"{CHAT}::test_a_command_sees_what_its_socket_sent_before_it",
        ),
    ),
    "A refusal is queued behind the commands of its socket, and given at once if there are none": (
        Fault(
            "refusal-by-limit-overtakes-commands",
            "chatcore.commands:CommandDispatcher.submit",
            "self.refuse(room, user, refusal, reply, socket)",
            "reply(refusal)",
            "tests/unit/test_chat_limits.py::test_refused_message_keeps_its_place_and_takes_later_ones_along",
        ),
    ),
    "A queued command is carried out also if its caller is cancelled": (
        Fault(
            "queued-command-withdrawn-with-caller",
            "chatcore:Chat._append",
            "result = await answered.take()",
            "try:\n    result = await answered.take()\nexcept BaseException:\n    self._hub.abandon()\n    raise",
            f"{CHAT}::test_a_caller_that_is_cancelled_after_queueing_has_written",
        ),
    ),
}
