"""Faults that break the rules of `docs/live.md`, in its order."""

from collections.abc import Mapping, Sequence

from .fault import Fault

RULES = "tests/unit/live/test_rules.py"
RECOVERY = "tests/unit/live/test_recovery.py"
MEMBERSHIP_PUSHES = "tests/unit/live/test_membership_pushes.py"
INVITATIONS = "tests/unit/live/test_invitations.py"
CONCURRENT_READS = "tests/unit/live/test_concurrent_reads.py"
RECENT_HEADS = "tests/unit/live/test_recent_heads.py"
BLOCKS = "tests/unit/test_blocks.py"
TYPING = "tests/unit/live/test_typing.py"
PRESENCE, NODES = "tests/unit/test_presence.py", "tests/unit/test_presence_nodes.py"
CHAT = "tests/unit/test_chat.py"
GROWTH = "tests/unit/test_call_growth.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    # Typing.
    "Typing ends 6 s after the last `on`": (
        Fault(
            "typing-never-ends-by-itself",
            "chatcore.live:Typing._look",
            "typist.until <= now",
            "False",
            f"{TYPING}::test_typing_ends_6_s_after_the_last_on",
        ),
        Fault(
            "repeated-on-does-not-extend-typing",
            "chatcore.live:Typing._begin",
            "typist.by, typist.until = by, now + TYPING_S",
            "typist.by, typist.until = by, max(now, typist.until) if typist.until > now else now + TYPING_S",
            f"{TYPING}::test_typing_ends_6_s_after_the_last_on",
        ),
    ),
    "Typing ends with a message, with its socket, and with the membership": (
        Fault(
            "message-does-not-end-typing",
            "chatcore.live:Typing.take_entry",
            "(entry.author,)",
            "()",
            f"{TYPING}::test_typing_ends_with_a_message_of_the_user_over_whatever_way",
        ),
        Fault(
            "removal-does-not-end-typing",
            "chatcore.live:Typing.take_entry",
            "ended = entry.affects",
            "ended = ()",
            f"{TYPING}::test_typing_ends_when_the_user_leaves_or_is_removed",
        ),
        Fault(
            "socket-does-not-end-typing",
            "chatcore.live:Hub.leave",
            "self.typing.leave(socket)",
            "self.typing.sockets.pop(socket)",
            f"{TYPING}::test_typing_ends_with_the_socket_that_said_it",
        ),
        Fault(
            "any-socket-ends-typing",
            "chatcore.live:Typing.leave",
            " and typist.by is socket",
            "",
            f"{TYPING}::test_end_of_another_socket_of_the_user_does_not_end_typing",
        ),
        Fault(
            "ended-socket-begins-to-type",
            "chatcore.live:Typing.say",
            "by is not None and by.ended",
            "False",
            f"{TYPING}::test_socket_that_ended_while_its_membership_was_read_types_no_more",
        ),
    ),
    "Who types is pushed again after a message, with which clients may have taken its author off the list": (
        Fault(
            "typing-after-a-message-not-pushed",
            "chatcore.live:Typing._push",
            " and found.wrote.isdisjoint(users)",
            "",
            f"{TYPING}::test_typing_right_after_a_message_is_pushed_again",
        ),
    ),
    "A user types only as a member": (
        Fault(
            "invited-user-types",
            "chatcore.commands:SetTyping._is_member",
            'row.member.state == "member"',
            "True",
            f"{TYPING}::test_who_is_not_a_member_gets_not_found_as_for_an_unborn_room",
        ),
    ),
    "A room is pushed who types at most once in 500 ms": (
        Fault(
            "typing-pushed-with-each-change",
            "chatcore.live:Typing._look",
            "found.pushes_from = now + INTERVAL_S",
            "pass",
            f"{TYPING}::test_pushes_of_a_room_are_500_ms_apart_and_end_with_the_newest",
        ),
    ),
    "At most 5 users are shown as typing, never the own one": (
        Fault(
            "six-typists-shown",
            "chatcore.live:SHOWN_MAX",
            "5",
            "6",
            f"{TYPING}::test_at_most_five_are_shown_those_who_began_first",
        ),
        Fault(
            "own-user-shown-as-typing",
            "chatcore.live:Typing._push",
            "found.typists.keys() | ",
            "",
            f"{TYPING}::test_typing_is_pushed_to_other_members_at_once_and_not_to_oneself",
        ),
    ),
    "Typing costs a hint per user and 500 ms, and a read of blocks per typist": (
        Fault(
            "hint-with-each-typing",
            "chatcore.live:Typing._hint",
            "typist.hinted, typist.hints_from = on, now + INTERVAL_S",
            "typist.hinted = on",
            f"{TYPING}::test_flood_of_typing_costs_one_read_and_one_hint_per_500_ms",
        ),
        Fault(
            "blocks-read-with-each-typing",
            "chatcore.live:Typing._known",
            "found.known[user] = typist",
            "found.known[user], typist.asked = typist, 0",
            f"{TYPING}::test_blocks_are_asked_once_per_typist_and_not_per_push",
        ),
        Fault(
            "blocks-read-without-chunks",
            "chatcore.live:PAIRS_MAX",
            "1_000",
            "1_000_000",
            f"{TYPING}::test_blocks_in_a_large_room_are_read_in_chunks",
        ),
    ),
    "A block hides typing in both directions, also one that is made meanwhile": (
        Fault(
            "typing-shown-before-blocks-are-read",
            "chatcore.live:_Typist.is_shown_to",
            "return subscription.number <= self.asked or self.user in subscription.typists",
            "return True",
            f"{TYPING}::test_block_hides_typing_in_both_directions_and_changes_no_answer",
        ),
        Fault(
            "blocks-by-receivers-not-asked",
            "chatcore.live:_chunks",
            ", *((other, user) for other in some)",
            "",
            f"{TYPING}::test_block_hides_typing_in_both_directions_and_changes_no_answer",
        ),
        Fault(
            "blocks-kept-for-a-room-that-is-live-again",
            "chatcore.live:Typing.restart",
            "typist.asked = 0",
            "pass",
            f"{TYPING}::test_blocks_of_a_room_that_is_live_again_are_asked_anew",
        ),
        Fault(
            "new-block-does-not-hide-typing",
            "chatcore.live:Hub.note_block",
            "self.typing.note_block(user, other)",
            "pass",
            f"{TYPING}::test_block_made_while_a_user_types_takes_effect_with_the_next_push",
        ),
    ),
    "Who comes while a user types is told, and a sync repeats nothing": (
        Fault(
            "new-subscription-not-told-who-types",
            "chatcore.live:Hub.subscribe",
            "subscription.typists or room in self.typing.rooms",
            "False",
            f"{TYPING}::test_socket_that_connects_is_pushed_who_types",
        ),
        Fault(
            "typists-forgotten-with-a-sync",
            "chatcore.live:Hub.end_sync",
            "typists=shown.get(room, ())",
            "typists=()",
            f"{TYPING}::test_end_of_typing_during_a_sync_is_pushed_after_it",
        ),
        Fault(
            "filled-subscription-not-told-who-types",
            "chatcore.live:LiveRoom._fill_one",
            "self._context.typing.subscribed(self.room)",
            "pass",
            f"{TYPING}::test_join_that_the_store_alone_reports_is_followed_by_who_types",
        ),
    ),
    "Nodes end the typing of others by themselves, and ignore late hints": (
        Fault(
            "late-hint-of-typing-taken",
            "chatcore.live:Typing.take_hint",
            "hint.number <= number",
            "False",
            f"{TYPING}::test_hint_that_comes_after_a_later_one_is_ignored",
        ),
        Fault(
            "end-of-typing-not-hinted",
            "chatcore.live:Typing._end",
            "typist.hint_due = is_told and typist.hinted",
            "typist.hint_due = False",
            f"{TYPING}::test_other_nodes_are_told_every_end",
        ),
    ),
    "Typing leaves nothing behind, and is bounded": (
        Fault(
            "rooms-without-typists-kept",
            "chatcore.live:Typing._look",
            "self._drop(found)",
            "pass",
            f"{TYPING}::test_nothing_is_left_once_nobody_types_and_sockets_have_ended",
        ),
        Fault(
            "socket-types-in-any-number-of-rooms",
            "chatcore.live:Typing._may_say",
            "return False",
            "return True",
            f"{TYPING}::test_socket_begins_to_type_in_at_most_ten_rooms_in_500_ms",
        ),
    ),
    # Blocks.
    "A new block makes its private room forget its state": (
        Fault(
            "block-not-noted-by-live-room",
            "chatcore.live:LiveRoom.note_block",
            None,
            "pass",
            f"{BLOCKS}::test_block_with_unknown_outcome_is_noticed",
        ),
        Fault(
            "state-read-before-block-is-used",
            "chatcore.live:LiveRoom._load",
            "blocks_changes != self._blocks_changes",
            "False",
            f"{BLOCKS}::test_block_during_a_read_of_the_state_counts_for_later_messages",
        ),
    ),
    "A block on another node is noticed by the change poller": (
        Fault(
            "new-blocks-not-polled",
            "chatcore.live:ChangePoller.poll",
            "self._hub.note_block(user, other)",
            "pass",
            f"{BLOCKS}::test_block_by_another_node_is_noticed_without_a_bus_within_two_polls",
        ),
    ),
    "The end of a block is found before a command is refused": (
        Fault(
            "ended-block-refuses",
            "chatcore.live:LiveRoom._settle",
            "state.blocked and not await self._has_blocks(state)",
            "False",
            f"{BLOCKS}::test_unblocked_user_may_write_again",
        ),
    ),
    "An invitation across a block is not pushed": (
        Fault(
            "invitation-pushed-to-blocker",
            "chatcore.live:_hidden_invitations",
            "blocks.isdisjoint({(user, inviter), (inviter, user)})",
            "True",
            f"{BLOCKS}::test_invitation_across_a_block_is_answered_and_listed_but_not_pushed",
        ),
    ),
    # Presence.
    "A user is present for 10 s after the last socket": (
        Fault(
            "offline-at-once",
            "chatcore.live.presence:Presence._evaluate",
            "watched.ended_at + GRACE_S",
            "watched.ended_at",
            f"{PRESENCE}::test_user_who_comes_back_within_10_s_is_online_throughout",
        ),
    ),
    "The registry is asked before a user is offline": (
        Fault(
            "end-of-hold-not-noticed",
            "chatcore.live.presence:Presence._ask",
            "if until <= now",
            "if until < 0",
            f"{PRESENCE}::test_user_is_online_with_the_first_socket_and_offline_10_s_after_the_last",
        ),
    ),
    "A socket that ended on another node counts for 10 s": (
        Fault(
            "no-grace-for-sockets-elsewhere",
            "chatcore.live.presence:Presence._evaluate",
            "held_until > read_at or seen",
            "watched.ended_at + GRACE_S > read_at",
            f"{NODES}::test_socket_on_another_node_is_found_by_polling",
        ),
    ),
    "An answer to an earlier question does not undo a later one": (
        Fault(
            "stale-answer-of-registry-counts",
            "chatcore.live.presence:Presence._read_elsewhere",
            "number > watched.question",
            "True",
            f"{NODES}::test_answer_of_an_earlier_question_does_not_undo_a_later_one",
        ),
    ),
    "Visibility is read again when a membership changes": (
        Fault(
            "memberships-not-noted-for-presence",
            "chatcore.live.presence:Presence.note_memberships",
            "self._changed(pair)",
            "pass",
            f"{PRESENCE}::test_user_is_hidden_once_no_room_is_shared",
        ),
    ),
    "A visibility that was read before a change does not count": (
        Fault(
            "stale-visibility-counts",
            "chatcore.live.presence:Presence._read_visibility",
            "pair.changes == changes[pair] and self._is_live(pair)",
            "self._is_live(pair)",
            f"{PRESENCE}::test_block_during_a_read_is_not_overlooked",
        ),
    ),
    "What changes during a command is pushed after its answer": (
        Fault(
            "change-during-command-pushed-first",
            "chatcore.live.presence:Presence._send",
            "pair.shown is None or",
            "",
            f"{PRESENCE}::test_change_during_the_command_follows_its_answer",
        ),
    ),
    "A command that fails leaves the former users watched": (
        Fault(
            "failed-command-ends-watch",
            "chatcore.live.presence:Presence.read",
            "self._watches.setdefault(socket, []).append(watch)",
            "for former in self._watches.get(socket, ()):\n    self._detach(former)\nself._watches[socket] = [watch]",
            f"{PRESENCE}::test_command_that_fails_leaves_the_former_set",
        ),
    ),
    "A stranger who watches costs no reads": (
        Fault(
            "strangers-read-at-each-change",
            "chatcore.live.presence:Presence._push",
            "if pair.visible is None and self._is_live(pair)",
            "if not pair.visible and self._is_live(pair)",
            f"{PRESENCE}::test_stranger_who_watches_costs_no_reads_when_states_change",
        ),
    ),
    "A clean stop writes when connected users were last seen": (
        Fault(
            "stop-forgets-connected-users",
            "chatcore.live.presence:Presence.finish",
            "self._users if self.enabled else ()",
            "()",
            f"{PRESENCE}::test_clean_stop_writes_when_connected_users_were_last_seen",
        ),
    ),
    "Ended watches of presence leave no reference cycle, which the server would never free": (
        Fault(
            "ended-watches-stay-in-memory",
            "chatcore.live.presence:Presence._detach",
            "watch.pairs.clear()",
            "pass",
            f"{PRESENCE}::test_ended_watches_leave_no_reference_cycle",
        ),
    ),
    "A watch ends with its socket": (
        Fault(
            "watch-outlives-socket",
            "chatcore.live.presence:Presence.closed",
            "self._detach(watch)",
            "pass",
            f"{PRESENCE}::test_watches_leave_nothing_after_their_sockets",
        ),
    ),
    "A removal from the registry that failed is repeated soon": (
        Fault(
            "failed-removal-left-to-the-next-renewal",
            "chatcore.live.leases:Leases.remove",
            "self._requested.set()",
            "pass",
            "tests/unit/live/test_leases.py::test_removal_that_failed_is_repeated_until_it_succeeds",
        ),
    ),
    # The object.
    "A room is not dropped while a command is pending in it": (
        Fault(
            "room-dropped-with-pending-command",
            "chatcore.live:LiveRoom.unsubscribe",
            "self._working or self._pending()",
            "self._pending() and not self._commands",
            f"{RULES}::test_room_with_a_pending_command_is_not_dropped",
        ),
    ),
    "A subscription that lacks more than 200 entries is cut; with 200 it is filled": (
        Fault(
            "subscription-cut-at-200-missing-entries",
            "chatcore.live:LiveRoom._fill_one",
            "> MISSING_MAX",
            ">= MISSING_MAX",
            f"{CHAT}::test_subscription_behind_by_more_than_200_entries_is_cut_as_slow",
        ),
    ),
    "The entry of a hint is used only if its seq is head + 1": (
        Fault(
            "hint-delivered-over-gap",
            "chatcore.live:LiveRoom._catch_up",
            " == head + 1",
            "",
            f"{RULES}::test_hint_reveals_the_lost_hint_before_it",
        ),
    ),
    "A first subscription sets the head to its own seq, not to that of a hint": (
        Fault(
            "unknown-head-taken-from-hint",
            "chatcore.live:LiveRoom.subscribe",
            "self.started = seq",
            "self.started = max(seq, known)",
            f"{RULES}::test_room_without_hints_is_found_by_the_poller",
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
            "if subscription.seq != seq - 1:",
            "if False:",
            f"{RULES}::test_ready_above_the_live_room_gets_later_entries_only",
        ),
    ),
    "A new member gets the push `room` before the entry": (
        Fault(
            "rejoined-subscription-filled-without-room",
            "chatcore.live:LiveRoom._fill_one",
            "(subscription.socket.user,)",
            "() if subscription.member else (subscription.socket.user,)",
            f"{INVITATIONS}::test_socket_gets_leaving_and_return_of_its_user_during_a_failed_sync",
        ),
    ),
    "The last entry that a removed member gets is the removal": (
        Fault(
            "removed-member-still-subscribed",
            "chatcore.live:_change_membership",
            "subscription.member = False",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_removed_user_gets_removal_and_no_later_entry",
        ),
    ),
    "The end of an invitation gives the push `room.gone`": (
        Fault(
            "end-of-invitation-not-pushed",
            "chatcore.live:_change_membership",
            "if subscription.member or entry.room in socket.invited:",
            "if subscription.member:",
            f"{MEMBERSHIP_PUSHES}::test_ended_invitation_is_pushed_as_room_gone_only",
        ),
    ),
    "A subscription without membership is dropped when the room is idle": (
        Fault(
            "subscription-without-membership-kept",
            "chatcore.live:LiveRoom._drop_if_unused",
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
            f"{MEMBERSHIP_PUSHES}::test_late_hint_of_a_join_reaches_a_socket_of_a_room_live_from_above",
        ),
    ),
    "A join that a later entry of the same read undoes is not announced": (
        Fault(
            "undone-join-announced",
            "chatcore.live:_change_membership",
            ' and room.state == "member"',
            "",
            f"{MEMBERSHIP_PUSHES}::test_invited_user_gets_no_push_of_an_earlier_undone_join",
        ),
    ),
    # Connecting.
    "Sockets that open at the same time read their rooms in turn": (
        Fault(
            "all-connects-read-at-once",
            "chatcore:Sockets._overview",
            "await self._turns.acquire()",
            "pass",
            "tests/unit/test_connect_turns.py::test_connects_at_once_read_their_rooms_in_turn",
        ),
    ),
    "Joins while a socket connects are deferred, and subscribed to afterwards": (
        Fault(
            "join-of-connecting-socket-lost",
            "chatcore.live:Hub.subscribe_connected",
            "for room, seq in joined.items()",
            "for room, seq in ()",
            f"{RULES}::test_join_during_a_connect_reaches_the_socket",
        ),
    ),
    "If the page of `ready` is the whole list, no other room is subscribed to": (
        Fault(
            "ended-membership-subscribed-after-ready",
            "chatcore:Sockets._greet",
            " if page.next else []",
            "",
            f"{INVITATIONS}::test_membership_that_ended_between_the_reads_of_a_connect_is_not_subscribed",
        ),
    ),
    "Rooms that a page of `ready` has no space for are subscribed to": (
        Fault(
            "rooms-of-cut-page-not-subscribed",
            "chatcore:Sockets._greet",
            ", *overview.page.rooms",
            "",
            "tests/unit/test_large_ready.py",
        ),
    ),
    "The recent head of a room that is not live is kept for 10 s": (
        Fault(
            "head-of-dropped-room-forgotten",
            "chatcore.live:Hub._drop",
            "self._recent_heads.note(room, live.known)",
            "pass",
            f"{CONCURRENT_READS}::test_entry_of_a_room_dropped_during_a_connect_reaches_the_socket",
        ),
        Fault(
            "recent-head-kept-for-1-second",
            "chatcore.live:REMEMBERED_S",
            "10",
            "1",
            f"{RECENT_HEADS}::test_recent_head_is_remembered_for_the_time_of_a_connect",
        ),
        Fault(
            "recent-head-moved-back-by-late-hint",
            "chatcore.live:RecentHeads.note",
            "max(seq, self._heads.pop(room, (0, now))[0])",
            "(seq, self._heads.pop(room, None))[0]",
            f"{RECENT_HEADS}::test_late_hint_of_a_lower_seq_does_not_lower_a_recent_head",
        ),
    ),
    # Sync.
    "No entry overtakes the answer of a `sync` that names its room": (
        Fault(
            "entry-overtakes-sync",
            "chatcore.live:Hub.begin_sync",
            "if room in socket.subscriptions",
            "if False",
            f"{RULES}::test_entries_follow_the_answer_of_a_sync_of_their_room",
        ),
    ),
    "Joins during a `sync` are deferred, and subscribed to after its answer": (
        Fault(
            "join-during-sync-lost",
            "chatcore.live:Hub.resubscribe",
            "elif joined:",
            "elif False:",
            f"{RULES}::test_join_during_a_sync_of_its_room_is_delivered",
        ),
        Fault(
            "join-during-sync-subscribed-at-once",
            "chatcore.live:LiveSocket.defer_join",
            " or room in self.syncing_rooms",
            "",
            f"{RULES}::test_join_during_a_sync_of_its_room_is_delivered",
        ),
    ),
    "A `sync` that fails leaves the subscriptions of its socket unchanged": (
        Fault(
            "failed-sync-drops-subscriptions",
            "chatcore.commands:Sync.handle",
            "context.hub.resubscribe(context.socket, self.cursors, held)",
            "context.hub.resubscribe(context.socket, self.cursors, {})",
            f"{RULES}::test_failed_sync_leaves_subscriptions_unchanged",
        ),
    ),
    "A `sync` that is answered after the end of its socket leaves no live room": (
        Fault(
            "ended-socket-subscribed-after-sync",
            "chatcore.live:Hub.subscribe",
            " and not subscription.socket.ended",
            "",
            f"{CONCURRENT_READS}::test_sync_answered_after_the_end_of_its_socket_leaves_no_live_room",
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
            f"{INVITATIONS}::test_membership_read_before_an_invitation_does_not_end_it",
        ),
    ),
    "An invitation that was pushed while the store was read is checked again": (
        Fault(
            "invitation-pushed-during-read-not-checked",
            "chatcore.live:Memberships._end_invitations",
            "self.check_soon(user, room)",
            "pass",
            f"{MEMBERSHIP_PUSHES}::test_end_of_an_invitation_read_while_ready_is_pushed_is_pushed",
        ),
    ),
    # Connections.
    "A connection that raises is cut, and all other connections get their pushes": (
        Fault(
            "connection-that-raises-silences-others",
            "chatcore:Sockets.open",
            "GuardedConnection(connection)",
            "connection",
            "tests/unit/live/test_failing_connections.py::test_failing_connections_do_not_affect_pushes_to_others",
        ),
    ),
    # Deciding.
    "A command about a message is decided on the message as of the head": (
        Fault(
            "command-decided-on-outdated-message",
            "chatcore.live:LiveRoom._advance",
            "self._commands.forget(entry.event.target, entry.seq)",
            "pass",
            "tests/unit/test_races.py::test_results_of_two_simultaneous_commands_fit_some_order",
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
            f"{RULES}::test_concurrent_commands_with_one_key_append_one_entry",
        ),
    ),
    "A refusal is given only after the store has returned no entry above the head": (
        Fault(
            "refusal-on-outdated-state",
            "chatcore.live:LiveRoom._settle",
            "if above.entries:",
            "if False:",
            f"{RULES}::test_member_that_just_joined_on_another_node_is_not_refused",
        ),
    ),
    "A command with a key in the store gets the first answer instead of a refusal": (
        Fault(
            "refusal-without-lookup-of-key",
            "chatcore.live:LiveRoom._settle",
            "above.by_key.get((pending.user, pending.key))",
            "None",
            f"{CHAT}::test_room_is_created_once_per_key_and_shown_as_of_its_first_entry",
        ),
    ),
    "A command is answered before its entry is pushed": (
        Fault(
            "entry-pushed-before-its-answer",
            "chatcore.live:LiveRoom._deliver",
            "self._commands.finish_by_key(entry)",
            "self._subscriptions.deliver(entry, rooms)\nself._commands.finish_by_key(entry)",
            f"{RULES}::test_retry_is_answered_before_its_entry_is_delivered",
        ),
    ),
    "An entry is the result of a command only with the same content digest": (
        Fault(
            "own-entry-recognized-without-digest",
            "chatcore.domain:outcome_of_used_key",
            "!= command.digest",
            "is None",
            f"{RULES}::test_entry_of_another_content_under_the_same_key_is_key_reused",
        ),
    ),
    "An entry answers no command before an earlier command of the same socket": (
        Fault(
            "retry-answered-before-earlier-command",
            "chatcore.live:CommandQueue.finish_by_key",
            "if pending.socket is not None and next(iter(self._by_socket[pending.socket])) is not pending:",
            "if False:",
            f"{RULES}::test_retry_found_in_an_entry_is_answered_after_earlier_commands",
        ),
    ),
    "`duplicate` is false for an entry that the command's own append may have written": (
        Fault(
            "entry-before-first-try-not-a-duplicate",
            "chatcore.domain:outcome_of_used_key",
            " and entry.seq > unsure_above",
            "",
            f"{RECOVERY}::test_entry_from_before_the_first_try_is_a_duplicate",
        ),
    ),
    "`key_reused` is decided on the store, not on an earlier read": (
        Fault(
            "key-reused-after-deletion",
            "chatcore.live:CommandQueue.finish_by_key",
            "if isinstance(outcome, CommandDone):",
            "if True:",
            f"{RULES}::test_retry_of_a_deleted_message_gets_the_first_answer",
        ),
    ),
    "After an append of unknown outcome the room reads the log": (
        Fault(
            "unknown-outcome-treated-as-failure",
            "chatcore.live:LiveRoom._finish_append",
            "raise outcome",
            "self._unsure = False\nself.fail(Unavailable())\nraise outcome",
            f"{RULES}::test_write_with_unknown_outcome_is_written_once_and_answered",
        ),
    ),
    "A command is answered after the append": (
        Fault(
            "append-acknowledged-before-write",
            "chatcore.live:LiveRoom.next_batch",
            "self._unsure = True",
            "self._unsure = True\n"
            "for pending, entry in self._batch:\n"
            "    self._commands.finish(pending, CommandDone(entry))",
            f"{RULES}::test_store_that_keeps_failing_fails_a_command_after_5_s",
        ),
    ),
    "A command fails 5 s after queueing, with all commands of its socket in that room": (
        Fault(
            "queued-command-never-expires",
            "chatcore.live:Hub._watch",
            "self.timeouts.watch(self._rooms[room])",
            "pass",
            f"{RECOVERY}::test_command_at_a_store_that_never_answers_fails_after_5_s",
        ),
        Fault(
            "commands-of-socket-expire-one-by-one",
            "chatcore.live:CommandQueue.expire",
            " or pending.socket in failed",
            "",
            f"{RECOVERY}::test_expired_command_fails_the_later_commands_of_its_socket",
        ),
    ),
    "A step of a room ends after 5 s at the latest": (
        Fault(
            "room-blocked-by-store-that-never-answers",
            "chatcore.live:LiveRoom._run",
            "anyio.CancelScope(deadline=current_time() + STEP_S)",
            "anyio.CancelScope()",
            f"{RULES}::test_store_that_hangs_after_a_failed_append_fails_a_command_after_5_s",
        ),
        Fault(
            "rooms-blocked-by-append-that-never-answers",
            "chatcore.live:Appender._append",
            "await self._limit.run(self._log.append_all([batch for _, batch in appends]))",
            "await self._log.append_all([batch for _, batch in appends])",
            f"{RULES}::test_append_that_hangs_is_repeated_after_5_s",
        ),
    ),
    # Receiving.
    "A socket has at most 64 commands in flight, refused commands included": (
        Fault(
            "refused-commands-not-counted-in-flight",
            "chatcore:Socket._refuse",
            "await self._wait_for_a_place()",
            "pass",
            f"{CHAT}::test_refused_commands_are_in_flight_until_they_are_answered",
        ),
    ),
    "A reading command waits until its socket has no command in flight": (
        Fault(
            "reading-command-overtakes-others",
            "chatcore:Socket.receive",
            "await self._live.in_flight.at_most(0)",
            "pass",
            f"{CHAT}::test_command_sees_earlier_commands_of_its_socket",
        ),
    ),
    "A refusal is queued behind the commands of its socket, and given at once if there are none": (
        Fault(
            "refusal-by-limit-overtakes-commands",
            "chatcore.commands:CommandDispatcher.submit",
            "self.refuse(room, user, limit, reply, socket)",
            "reply(limit)",
            "tests/unit/test_chat_limits.py::test_refused_message_keeps_its_place_and_fails_later_messages",
        ),
    ),
    "A queued command is carried out also if its caller is cancelled": (
        Fault(
            "queued-command-withdrawn-with-caller",
            "chatcore:Chat._append",
            "result = await answered.take()",
            "try:\n    result = await answered.take()\nexcept BaseException:\n    self._hub.abandon()\n    raise",
            f"{CHAT}::test_command_of_a_caller_cancelled_after_queueing_is_written",
        ),
    ),
    # The work of a message.
    "The work of a message does not grow with the log, the rooms, or the members for each receiver": (
        Fault(
            "log-scanned-for-each-entry",
            "chatcore.live:LiveRoom._advance",
            "max(self.known, entry.seq)",
            "max(self.known, *[seq for seq in range(entry.seq + 1)])",
            f"{GROWTH}::test_cost_of_a_message_is_the_same_after_100_and_many_entries",
        ),
        Fault(
            "rooms-scanned-for-each-command",
            "chatcore.live:Hub.submit",
            "self._rooms.get(room)",
            "dict([row for row in self._rooms.items()]).get(room)",
            f"{GROWTH}::test_cost_of_a_message_is_the_same_beside_10_and_many_rooms",
        ),
        Fault(
            "subscriptions-scanned-for-each-receiver",
            "chatcore.live:Subscriptions.deliver",
            "if subscription.member:",
            "if subscription.member and [other for other in self if other is subscription]:",
            f"{GROWTH}::test_cost_of_a_message_for_each_receiver_is_the_same_with_100_and_many_members",
        ),
        Fault(
            "every-frame-written-alone",
            "chatcore_aiohttp:TransportWriter.write",
            "if self._batch_size > BATCH_MAX:",
            "if self._batch_size:",
            "tests/integration/socketio/test_transport_writes.py",
        ),
        Fault(
            "message-takes-more-memory",
            "chatcore.live:LiveRoom._advance",
            "self._recent_entries.append(entry)",
            "self._recent_entries.append(entry)\nself._pause = bytearray(3_000)",
            f"{GROWTH}::test_message_between_two_users_takes_at_most_37000_bytes_of_memory",
        ),
        Fault(
            "every-entry-kept",
            "chatcore.live:ENTRIES_MAX",
            "64",
            "10_000_000",
            "tests/integration/test_flat_memory.py",
        ),
        Fault(
            "content-hashed-twice",
            "chatcore.commands:RoomCommand.digest",
            'object.__setattr__(self, "_digest", digest)',
            "pass",
            "tests/unit/test_call_count.py",
        ),
    ),
}
