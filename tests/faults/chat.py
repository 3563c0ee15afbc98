"""The faults of a Chat in a host's program, and of what hosts plug in, for `table.FAULTS`."""

from .table import Fault

DECIDER = "src/chatcore/domain/rooms.py"
MEMBERS_MAX = "tests/integration/test_serve_members_max.py"

MARKING = "src/chatcore/live/marking.py"
MARKERS = "tests/unit/live/test_markers.py"
CANONICAL = "tests/unit/test_canonical.py"
CHAT = "src/chatcore/chat.py"
LOOPS = "tests/unit/test_other_loops.py"
REFUSED = f"{LOOPS}::test_call_from_another_threads_loop_is_refused_and_the_chat_goes_on"
ENTERING = "tests/unit/test_entering.py"
CONNECTION = "src/chatcore/live/guarded_connection.py"
CONNECTIONS = "tests/unit/live/test_failing_connections.py"
CUT_ONCE = f"{CONNECTIONS}::test_connection_that_raises_is_closed_once_and_logged_once"

LEASES = "src/chatcore/live/leases.py"
LEASES_TEST = "tests/unit/live/test_leases.py"
READING = "src/chatcore/commands/reading.py"
RECENT = "src/chatcore/live/recent.py"
BETWEEN = "tests/unit/live/test_between.py"
RECENTS = "tests/unit/live/test_recent.py"
HISTORY = "tests/unit/test_history.py"
UNIT_CHAT = "tests/unit/test_chat.py"
LEFT_BY_CANCELLATION = "tests/unit/live/test_leaving.py::test_chat_left_by_cancellation_carries_out_what_was_queued"

FAULTS = (
    Fault(
        "a-connection-that-raises-silences-those-behind-it",
        "src/chatcore/sockets.py",
        "LiveSocket(GuardedConnection(connection), info.user)",
        "LiveSocket(connection, info.user)",
        f"{CONNECTIONS}::test_whichever_connections_raise_all_others_get_every_push",
    ),
    Fault(
        "a-connection-that-raised-gets-further-pushes",
        CONNECTION,
        "        self._closed, self._send = True, _drop\n",
        "        self._closed = True\n",
        CUT_ONCE,
    ),
    Fault(
        "a-connection-that-raised-is-not-closed",
        CONNECTION,
        "        self._note(fault)\n        self.close(CUT)\n",
        "        self._note(fault)\n        self._send = _drop\n",
        CUT_ONCE,
    ),
    Fault(
        "a-connection-that-raises-is-logged-each-time",
        CONNECTION,
        "        if not self._failed:",
        "        if True:",
        CUT_ONCE,
    ),
    Fault(
        "a-cancelled-future-of-a-connection-passes-the-guard",
        CONNECTION,
        "            self._send(push)\n        except (Exception, CancelledError)",
        "            self._send(push)\n        except Exception",
        CUT_ONCE,
    ),
    Fault(
        "execute-is-taken-from-another-event-loop",
        CHAT,
        "        self._loop.check()\n        _check_user(user)\n",
        "        _check_user(user)\n",
        f"{REFUSED}[asyncio-execute a reading command-asyncio]",
    ),
    Fault(
        "receive-is-taken-from-another-event-loop",
        "src/chatcore/socket.py",
        "        self._loop.check()\n",
        "",
        REFUSED,
    ),
    Fault(
        "connect-is-taken-from-another-event-loop",
        "src/chatcore/sockets.py",
        "        self._loop.check()\n",
        "",
        f"{LOOPS}::test_socket_opened_here_and_entered_in_another_loop_is_refused",
    ),
    Fault(
        "a-later-event-loop-of-the-same-thread-counts-as-the-chats",
        "src/chatcore/live/event_loop.py",
        "        if loop is not self._loop is not None:",
        "        if loop is None:",
        f"{LOOPS}::test_call_from_a_later_loop_of_the_same_thread_is_refused",
    ),
    Fault(
        "a-chat-is-entered-again",
        CHAT,
        "        if self._loop.entered:\n            raise RuntimeError(ENTERED_ONCE)\n",
        "",
        f"{ENTERING}::test_chat_entered_again_is_refused_and_the_store_serves_a_new_one",
    ),
    Fault(
        "entering-that-is-cancelled-leaves-the-background-task",
        "src/chatcore/live/background.py",
        "            await self.__aexit__(None, None, None)\n            raise\n",
        "            raise\n",
        f"{ENTERING}::test_entering_cancelled_with_its_task_at_any_step_leaves_nothing",
    ),
    Fault(
        "idle-background-task-keeps-its-last-work",
        "src/chatcore/live/background.py",
        "            del work  #",
        "            #",
        "tests/unit/live/test_background.py::test_idle_task_does_not_keep_its_last_work_in_memory",
    ),
    Fault(
        "the-end-of-a-background-fault-is-not-logged",
        "src/chatcore/live/background.py",
        '                log.info("%s works again", work)\n',
        "                pass\n",
        "tests/unit/live/test_enduring.py::test_end_of_a_fault_in_the_background_is_logged_once",
    ),
    Fault(
        "entering-that-is-cancelled-leaves-the-store-open",
        CHAT,
        "            await self._entered.aclose()\n            raise\n",
        "            raise\n",
        f"{ENTERING}::test_entering_cancelled_by_a_scope_at_any_step_leaves_nothing",
    ),
    Fault(
        "a-canonical-that-raises-escapes",
        "src/chatcore/commands/dispatch.py",
        '            log.exception("canonical failed")\n            raise Internal from None',
        "            raise",
        CANONICAL,
    ),
    Fault(
        "a-canonical-that-raises-for-a-refused-command-ends-the-socket",
        "src/chatcore/socket.py",
        "        except Internal as failed:\n            room, error = None, failed\n",
        "        except KeyError:\n            room = None\n",
        f"{CANONICAL}::test_canonical_that_raises_is_answered_internal_and_the_socket_goes_on",
    ),
    Fault(
        "an-unchanged-marker-is-pushed-to-others",
        MARKING,
        "        everyone = self._is_news(marker) and moved.everyone\n",
        "        everyone = moved.everyone\n",
        f"{MARKERS}::test_mark_that_moves_nothing_is_pushed_to_own_sockets_alone",
    ),
    Fault(
        "a-marker-that-was-never-pushed-counts-as-unknown-to-others",
        "src/chatcore/commands/marking.py",
        "            context.hub.marks(user, view)\n",
        "",
        f"{MARKERS}::test_first_mark_of_muted_alone_is_not_pushed_to_others",
    ),
    Fault(
        "room-create-ignores-members-max",
        DECIDER,
        "        case Opened() if opens and len(opens.members) > members_max:",
        "        case Opened() if False:",
        MEMBERS_MAX,
    ),
    Fault(
        "joining-ignores-members-max",
        DECIDER,
        "        case Joined() if state.count() >= members_max:",
        "        case Joined() if False:",
        MEMBERS_MAX,
    ),
    Fault(
        "the-server-ignores-its-setting-members-max",
        "src/entrypoints/chatcore_server/bootstrap.py",
        "    rules = Rules(members_max=settings.room_members_max)",
        "    rules = Rules()",
        MEMBERS_MAX,
    ),
    Fault(
        "the-head-of-a-dropped-room-is-not-remembered",
        "src/chatcore/live/hub.py",
        "            self._recent.note(room.room, room.known)\n",
        "",
        f"{BETWEEN}::test_entry_of_a_room_dropped_while_a_socket_connects_reaches_that_socket",
    ),
    Fault(
        "recent-heads-are-remembered-too-short",
        RECENT,
        "REMEMBERED_S = 10\n",
        "REMEMBERED_S = 1\n",
        f"{RECENTS}::test_recent_head_is_remembered_while_a_connecting_socket_reads_its_rooms",
    ),
    Fault(
        "a-late-hint-takes-a-recent-head-back",
        RECENT,
        "max(seq, self._told.pop(room, (0, now))[0]), now",
        "(self._told.pop(room, (0, now)), seq)[1], now",
        f"{RECENTS}::test_seq_told_late_does_not_take_a_recent_head_back",
    ),
    Fault(
        "a-sync-answered-late-makes-its-ended-socket-follow",
        "src/chatcore/live/hub.py",
        "        if self.open and not socket.ended:",
        "        if self.open:",
        f"{BETWEEN}::test_sync_answered_after_its_socket_has_ended_leaves_no_room",
    ),
    Fault(
        "a-page-cut-for-its-size-hides-older-messages",
        READING,
        "            has_before = True\n",
        "",
        f"{HISTORY}::test_page_cut_for_its_size_tells_which_entries_it_lacks",
    ),
    Fault(
        "a-page-around-the-first-unread-is-cut-around-the-newest",
        READING,
        "            return next(unread, window.head)",
        "            return window.head",
        f"{HISTORY}::test_page_around_the_first_unread_message_is_cut_on_both_sides_of_it",
    ),
    Fault(
        "rooms-that-are-gone-do-not-count-to-the-size-of-a-sync",
        READING,
        "sum(map(synced_size, from_here))",
        "sum(map(synced_size, found))",
        "tests/unit/live/test_answers.py::test_answer_of_a_sync_counts_the_rooms_that_are_gone_to_its_size",
    ),
    Fault(
        "refused-commands-are-not-bounded",
        "src/chatcore/socket.py",
        "        await self._unanswered.at_most(UNANSWERED_MAX - 1)\n"
        "        self._unanswered.add()\n"
        "        self._dispatcher.refuse(",
        "        self._unanswered.add()\n        self._dispatcher.refuse(",
        f"{UNIT_CHAT}::test_refused_commands_count_as_unanswered_while_they_wait",
    ),
    Fault(
        "later-ones-do-not-fail-alike-after-internal",
        "src/chatcore/live/waiting.py",
        "outcome.temporary and waiting.socket is not None:",
        'outcome.code == "unavailable" and waiting.socket is not None:',
        f"{UNIT_CHAT}::test_internal_failure_takes_the_later_commands_of_its_socket_along",
    ),
    Fault(
        "a-follower-that-lacks-200-entries-is-cut",
        "src/chatcore/live/room.py",
        "        if head - follower.at > MISSING_MAX:",
        "        if head - follower.at >= MISSING_MAX:",
        f"{UNIT_CHAT}::test_follower_that_lacks_more_than_200_entries_is_cut_as_slow",
    ),
    Fault(
        "a-chat-left-by-cancellation-does-not-drain",
        CHAT,
        "anyio.move_on_after(DRAIN_S, shield=True)",
        "anyio.move_on_after(DRAIN_S)",
        LEFT_BY_CANCELLATION,
    ),
    Fault(
        "on-trio-cancellation-ends-what-carries-out-the-queue",
        "src/chatcore/live/background.py",
        "        with anyio.CancelScope(shield=True):\n            async with anyio.create_task_group()",
        "        with anyio.CancelScope():\n            async with anyio.create_task_group()",
        LEFT_BY_CANCELLATION,
    ),
    Fault(
        "a-socket-that-is-cancelled-stays-in-the-registry",
        LEASES,
        "anyio.move_on_after(PATIENCE_S, shield=True)",
        "anyio.move_on_after(PATIENCE_S)",
        f"{LEASES_TEST}::test_socket_that_is_cancelled_is_removed_from_the_registry",
    ),
    Fault(
        "a-registry-that-hangs-holds-a-connect-up",
        LEASES,
        "anyio.move_on_after(PATIENCE_S), _tolerated()",
        "_tolerated()",
        f"{LEASES_TEST}::test_registry_that_hangs_delays_a_connect_and_its_end_by_a_second",
    ),
    Fault(
        "a-temporary-failure-of-a-caller-fails-other-callers",
        "src/chatcore/live/waiting.py",
        "outcome.temporary and waiting.socket is not None:",
        "outcome.temporary:",
        f"{UNIT_CHAT}::test_internal_failure_of_one_caller_fails_no_other",
    ),
    Fault(
        "a-retry-is-answered-before-an-earlier-command-of-its-socket",
        "src/chatcore/live/waiting.py",
        "            elif item.socket is None or item.socket not in earlier:",
        "            else:",
        "tests/unit/live/test_rules.py"
        "::test_retry_found_in_an_entry_is_not_answered_before_an_earlier_command_of_its_socket",
    ),
    Fault(
        "a-late-hint-takes-the-delivered-position-back",
        MARKING,
        "        return marker.read >= read and marker.delivered >= delivered",
        "        return marker.read >= read",
        f"{MARKERS}::test_late_hints_take_neither_position_of_a_marker_back",
    ),
    Fault(
        "a-late-hint-of-a-join-is-dropped-where-the-room-began-above-it",
        "src/chatcore/live/hub.py",
        "        if live is None or live.started is None or seq <= live.started:",
        "        if live is None or live.started is None:",
        "tests/unit/live/test_belonging.py::test_late_hint_of_a_join_reaches_a_socket_though_its_room_did_not_begin_below_it",
    ),
    Fault(
        "an-invited-user-is-shown-the-last-entry",
        "src/chatcore/protocol/objects.py",
        '    elif view.member and view.member.standing == "member":',
        "    elif view.member:",
        "tests/unit/test_room_objects.py::test_invited_user_is_shown_no_entry_no_count_and_no_marker",
    ),
    Fault(
        "an-entry-that-a-failed-task-had-processed-is-not-delivered",
        "src/chatcore/live/room.py",
        "                self._behind.extend(self._followers)",
        "                self._behind.extend(())",
        "tests/unit/live/test_enduring.py::test_room_that_failed_while_it_processed_an_entry_delivers_it_and_goes_on",
    ),
)
