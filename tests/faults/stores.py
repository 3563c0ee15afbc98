"""The stores' faults, for `table.FAULTS`."""

from .table import Fault

SQLITE = "src/adapters/chatcore_sqlite"
MEMORY = "src/adapters/chatcore_memory"
IN_SQLITE = "tests/integration/test_sqlite_store.py"
IN_MEMORY = "tests/unit/test_memory_store.py"
ERASING = "tests/integration/test_sqlite_erasing.py"
ERASER = "tests/integration/test_sqlite_eraser.py"
BROKEN = "tests/integration/test_sqlite_faults.py"
FAULT_LOG = "tests/unit/test_fault_log.py"
LOSS = "tests/integration/test_sqlite_loss.py"
VIEWS = "tests/integration/test_sqlite_views.py"
POWER_LOSS = "tests/integration/test_sqlite_power_loss.py"
ENTERING = "tests/integration/test_sqlite_entering.py"

FAULTS = (
    Fault(
        "sqlite-opening-that-is-cancelled-keeps-the-folder",
        f"{SQLITE}/database.py",
        "            if outcome == [None]:\n                await self.__aexit__(None, None, None)\n",
        "",
        f"{ENTERING}::test_entering_cancelled_with_its_task_at_any_step_frees_the_folder",
    ),
    Fault(
        "a-store-that-can-only-be-read-is-ready",
        f"{SQLITE}/store.py",
        "        await self._write(writing.probe)",
        "        await self._read(Snapshot.epoch)",
        "tests/integration/test_serve_ready.py::test_a_server_whose_database_is_locked_says_so_and_why_until_it_is_free",
    ),
    Fault(
        "a-fault-without-text-has-no-reason",
        "src/chatcore/ports/fault_log.py",
        " or _type_and_place(cause)",
        "",
        f"{FAULT_LOG}::test_reason_of_a_cause_without_text_is_its_type_and_place",
    ),
    Fault(
        "the-end-of-a-fault-is-not-logged",
        "src/chatcore/ports/fault_log.py",
        "        if self._reported:",
        "        if False:",
        f"{FAULT_LOG}::test_end_of_a_fault_is_logged_once_with_duration_and_failures",
    ),
    Fault(
        "sqlite-successes-end-no-fault",
        f"{SQLITE}/database.py",
        "        faults.succeeded()\n",
        "",
        "tests/integration/test_serve_ready.py::test_a_server_whose_database_is_locked_says_so_and_why_until_it_is_free",
    ),
    Fault(
        "sqlite-acknowledges-what-is-in-a-removed-file",
        f"{SQLITE}/threads.py",
        "        return self._confirm(jobs)",
        "        return True",
        f"{LOSS}::test_append_after_a_loss_is_not_acknowledged",
    ),
    Fault(
        "sqlite-loss-is-not-noticed-while-nothing-is-written",
        f"{SQLITE}/watch.py",
        "                self.confirm_all()\n",
        "                pass\n",
        f"{LOSS}::test_idle_store_notices_a_loss_within_2_s",
    ),
    Fault(
        "sqlite-closing-writes-into-a-moved-folder",
        f"{SQLITE}/threads.py",
        "            truncate(self._confirmed())",
        "            truncate(self._connection())",
        f"{LOSS}::test_closing_after_a_loss_changes_no_file_that_is_not_the_stores_own",
    ),
    Fault(
        "sqlite-closing-deletes-the-log-of-others",
        f"{SQLITE}/database.py",
        "        if self.watch.hinders_closing():",
        "        if False:",
        f"{LOSS}::test_closing_after_a_loss_changes_no_file_that_is_not_the_stores_own",
    ),
    Fault(
        "sqlite-new-connections-open-any-database-at-the-path",
        f"{SQLITE}/watch.py",
        "        self.confirm_all()\n        connection = connect(",
        "        connection = connect(",
        f"{LOSS}::test_new_connection_after_a_loss_opens_no_foreign_database",
    ),
    Fault(
        "sqlite-lost-store-is-entered-again",
        f"{SQLITE}/database.py",
        "                elif self._session.watch.lost:",
        "                elif False:",
        f"{LOSS}::test_lost_store_stays_refused_until_it_is_opened_anew",
    ),
    Fault(
        "sqlite-finished-calls-are-given-up",
        f"{SQLITE}/jobs.py",
        "            job.abandoned = not job.done\n",
        "            job.abandoned = True\n            job.done = False\n",
        f"{BROKEN}::test_call_done_while_the_loop_was_blocked_returns_its_result",
    ),
    Fault(
        "sqlite-time-of-a-blocked-loop-counts",
        f"{SQLITE}/jobs.py",
        "        self._ran += passed if passed < STALL_S else TICK_S",
        "        self._ran += passed",
        f"{BROKEN}::test_call_that_could_not_begin_while_the_loop_was_blocked_gets_its_time",
    ),
    Fault(
        "sqlite-is-ready-without-space-for-a-message",
        f"{SQLITE}/writing.py",
        "    connection.execute(statements.TAKE_SPACE)\n    connection.execute(statements.FREE_SPACE)\n",
        '    connection.execute("UPDATE store SET epoch = epoch")\n',
        "tests/integration/test_serve_ready.py::test_server_is_not_ready_where_there_is_no_space_for_a_message",
    ),
    Fault(
        "sqlite-is-ready-with-a-full-database",
        f"{SQLITE}/writing.py",
        "    connection.execute(statements.TAKE_SPACE)\n    connection.execute(statements.FREE_SPACE)\n",
        '    connection.execute("UPDATE store SET epoch = epoch")\n',
        f"{BROKEN}::test_appends_to_a_full_database_are_unavailable_and_heal",
    ),
    Fault(
        "edits-keep-a-deleted-text-in-memory",
        f"{MEMORY}/room.py",
        "        for seq in (target, *edits):",
        "        for seq in (target, *edits[:0]):",
        f"{IN_MEMORY}::TestMemoryLog",
    ),
    Fault(
        "edits-keep-a-deleted-text-in-sqlite",
        f"{SQLITE}/writing.py",
        "    for statement in (statements.ENTRY_AT, statements.EDITS_OF):",
        "    for statement in (statements.ENTRY_AT,):",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "a-deleted-message-keeps-its-digest",
        "src/chatcore/domain/redaction.py",
        "            return evolve(entry, event=event, digest=None)",
        "            return evolve(entry, event=event)",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "a-deleted-message-is-the-first-unread",
        "src/chatcore/ports/room_log.py",
        "        return isinstance(entry.event, Message) and not entry.event.deleted",
        "        return isinstance(entry.event, Message)",
        f"{IN_MEMORY}::TestMemoryLog::test_the_first_unread_message_is_never_a_deleted_one",
    ),
    Fault(
        "a-deleted-message-is-unread",
        f"{SQLITE}/folding.py",
        '                self._connection.execute(statements.DROP_MESSAGE, {"room": self._room.id, "seq": target})\n',
        "",
        f"{IN_SQLITE}::TestSqliteRooms",
    ),
    Fault(
        "others-are-leapt-over-like-ones-own",
        f"{SQLITE}/presenting.py",
        "        if author == start.user:",
        "        if author:",
        f"{IN_SQLITE}::TestSqliteRooms",
    ),
    Fault(
        "what-was-read-is-unread",
        f"{SQLITE}/presenting.py",
        "    run, seq = (below[0] if below else 0), start.read",
        "    run, seq = 0, start.read",
        f"{IN_SQLITE}::TestSqliteRooms",
    ),
    Fault(
        "sync-gives-messages-as-they-were-written",
        f"{SQLITE}/reading.py",
        "        return self._present(room, user, self._entries(room, statements.ENTRIES_ABOVE, after, limit))",
        "        return self._entries(room, statements.ENTRIES_ABOVE, after, limit)",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "reacting-users-in-any-order",
        f"{SQLITE}/statements.py",
        "            ORDER BY seq LIMIT {REACTION_USERS_MAX}",
        "            ORDER BY user LIMIT {REACTION_USERS_MAX}",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "emoji-in-any-order",
        f"{SQLITE}/statements.py",
        "ORDER BY target, since",
        "ORDER BY target, emoji",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "an-emoji-stays-when-nobody-gives-it",
        f"{SQLITE}/folding.py",
        "        if not event.on:\n            self._connection.execute(statements.DROP_REACTION, names)\n",
        "",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "banned-users-have-the-room",
        f"{SQLITE}/statements.py",
        "WHERE user = ? AND standing IN ('member', 'invited') AND (at",
        "WHERE user = ? AND (at",
        f"{IN_SQLITE}::TestSqliteRooms",
    ),
    Fault(
        "a-role-is-given-to-nobody",
        f"{SQLITE}/folding.py",
        "            return {*entry.affects, user}",
        "            return {*entry.affects} & {user}",
        f"{IN_SQLITE}::TestSqliteLog",
    ),
    Fault(
        "whoever-joins-again-goes-on",
        "src/chatcore/domain/markers.py",
        "        case Joined(user=user) if user not in opened:",
        "        case Joined(user=user) if user not in opened and not entry.key:",
        f"{IN_SQLITE}::TestSqliteMarkers",
    ),
    Fault(
        "marks-above-head",
        f"{SQLITE}/writing.py",
        "    if found and view and view.marker and change.fits(view.head):",
        "    if found and view and view.marker:",
        f"{IN_SQLITE}::TestSqliteMarkers",
    ),
    Fault(
        "marks-overwrite-each-other-in-memory",
        f"{MEMORY}/store.py",
        "            found.mark(user, change)\n",
        "            marker = found.marker(user)\n"
        "            await checkpoint()\n"
        "            if marker and change.fits(found.state.head):\n"
        "                found.markers[user] = change.applied(marker)\n",
        f"{IN_MEMORY}::TestMemoryMarkers",
    ),
    Fault(
        "marks-overwrite-each-other-in-sqlite",
        f"{SQLITE}/store.py",
        "        return await self._write(lambda connection: writing.mark(connection, user, room, change))",
        "        view = (await self.views(room, [user])).get(user)\n"
        "        if view and view.marker and change.fits(view.head):\n"
        "            to = change.applied(view.marker)\n"
        "            def put(connection: Connection) -> None:\n"
        "                found = Snapshot(connection).room(room)\n"
        "                writing._set_marker(connection, found, user, to)\n"
        "            await self._write(put)\n"
        "        return (await self.views(room, [user])).get(user)",
        f"{IN_SQLITE}::TestSqliteMarkers",
    ),
    Fault(
        "text-is-never-erased",
        f"{SQLITE}/erasing.py",
        "        if self._at is None or now < self._at:",
        "        if True:",
        ERASING,
    ),
    Fault(
        "a-deletion-is-not-noted",
        f"{SQLITE}/threads.py",
        "        if any(job.erases for job in jobs):",
        "        if False:",
        ERASING,
    ),
    Fault(
        "sqlite-a-deletion-that-shares-its-commit-is-not-noted",
        f"{SQLITE}/threads.py",
        "        if any(job.erases for job in jobs):",
        "        if jobs and jobs[0].erases:",
        f"{ERASING}::test_text_deleted_in_a_group_with_other_writes_is_gone_in_time",
    ),
    Fault(
        "sqlite-further-deletions-put-off-the-erasure",
        f"{SQLITE}/erasing.py",
        "        if self._at is None:\n            self._at = self._clock() + self._first",
        "        if True:\n            self._at = self._clock() + self._first",
        f"{ERASER}::test_deletions_without_a_pause_do_not_put_off_the_erasure",
    ),
    Fault(
        "sqlite-locks-are-not-waited-for-after-an-erasure",
        f"{SQLITE}/erasing.py",
        '        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")\n',
        "        pass\n",
        f"{BROKEN}::test_short_lock_after_an_erasure_is_waited_for",
    ),
    Fault(
        "sqlite-a-refusal-that-is-not-committed-is-answered",
        f"{SQLITE}/jobs.py",
        "        if not self.done:\n",
        "        if not self.done and self.error is None:\n",
        "tests/integration/test_sqlite_groups.py::test_outcome_of_a_commit_that_does_not_come_in_time_is_nobodys_answer",
    ),
    Fault(
        "pages-are-not-overwritten",
        f"{SQLITE}/connections.py",
        '    "secure_delete = ON",',
        '    "secure_delete = OFF",',
        f"{ERASING}::test_of_hundreds_of_messages_of_all_sizes_those_that_were_deleted_leave_nothing",
    ),
    Fault(
        "busy-readers-are-never-kept-out",
        f"{SQLITE}/erasing.py",
        "            self._gate.shut()\n",
        "",
        f"{ERASING}::test_it_is_gone_in_time_while_others_read_and_write_without_a_pause",
    ),
    Fault(
        "readers-are-kept-out-for-good",
        f"{SQLITE}/erasing.py",
        "        if not self._gate.is_empty() and now - self._since < KEPT_OUT_S:",
        "        if not self._gate.is_empty():",
        f"{ERASING}::test_a_read_that_takes_long_is_waited_for_and_keeps_nobody_else",
    ),
    Fault(
        "writing-waits-for-readers",
        f"{SQLITE}/erasing.py",
        '    connection.execute("PRAGMA busy_timeout = 0")',
        '    connection.execute("PRAGMA busy_timeout = 900")',
        f"{ERASING}::test_while_another_program_reads_writing_goes_on_and_it_is_gone_once_that_ends",
    ),
    Fault(
        "it-is-tried-once",
        f"{SQLITE}/erasing.py",
        "            if self._gate.is_empty() and truncate(connect()):\n                self._at = None",
        "            self._at = None\n            if self._gate.is_empty():\n                truncate(connect())",
        ERASING,
    ),
    Fault(
        "log-and-views-in-two-commits",
        f"{SQLITE}/writing.py",
        "        appended = self._write(connection, room)\n",
        "        appended = self._write(connection, room)\n"
        '        for statement in ("RELEASE job", "COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT job"):\n'
        "            connection.execute(statement)\n",
        "tests/integration/test_sqlite_cut.py",
    ),
    Fault(
        "wrong-views-are-folded-on",
        f"{SQLITE}/rebuilding.py",
        '        if connection.execute(f"DELETE FROM {table} WHERE ({key}) IN ({rows})").rowcount:',
        "        if not rows:",
        VIEWS,
    ),
    Fault(
        "half-made-views-are-read",
        f"{SQLITE}/rebuilding.py",
        "    if connection.execute(statements.VIEWS).fetchone()[0] != RIGHT:",
        "    if False:",
        VIEWS,
    ),
    Fault(
        "a-rebuilding-that-was-interrupted-is-forgotten",
        f"{SQLITE}/database.py",
        "        _make_views_right(connection)\n",
        "",
        VIEWS,
    ),
    Fault(
        "all-is-rebuilt-in-one-transaction",
        f"{SQLITE}/rebuilding.py",
        "    rows = connection.execute(statements.LOG_FROM, (position, STEP)).fetchall()",
        "    rows = connection.execute(statements.LOG_FROM, (position, 10**9)).fetchall()",
        VIEWS,
    ),
    Fault(
        "a-rebuilding-moves-markers",
        f"{SQLITE}/rebuilding.py",
        "        fold(connection, found, [read_entry(found.room, row) for row in its_rows])",
        "        fold(connection, found, [read_entry(found.room, row) for row in its_rows])\n"
        '        connection.execute("UPDATE markers SET read = 0")',
        VIEWS,
    ),
    Fault(
        "a-file-of-version-1-keeps-its-empty-views",
        f"{SQLITE}/schema.py",
        "views INTEGER NOT NULL DEFAULT 0;",
        "views INTEGER NOT NULL DEFAULT 1;",
        VIEWS,
    ),
    Fault(
        "sqlite-syncs-checkpoints-only",
        f"{SQLITE}/connections.py",
        '    "synchronous = FULL",',
        '    "synchronous = NORMAL",',
        POWER_LOSS,
    ),
    Fault(
        "sqlite-syncs-nothing",
        f"{SQLITE}/connections.py",
        '    "synchronous = FULL",',
        '    "synchronous = OFF",',
        POWER_LOSS,
    ),
    Fault(
        "sqlite-acknowledges-before-the-commit-is-synced",
        f"{SQLITE}/threads.py",
        "        return self._commit(connection, jobs)",
        "        self._desk.settle(jobs)\n        return self._commit(connection, jobs)",
        POWER_LOSS,
    ),
    Fault(
        "sqlite-data-folder-is-not-synced",
        f"{SQLITE}/lock.py",
        "                sync(path.parent)\n",
        "                pass\n",
        POWER_LOSS,
    ),
    Fault(
        "sqlite-emptied-log-is-not-synced",
        f"{SQLITE}/erasing.py",
        '        sync(Path(f"{file}-wal"))\n',
        "",
        POWER_LOSS,
    ),
    Fault(
        "sqlite-deleted-log-is-not-synced",
        f"{SQLITE}/erasing.py",
        "        sync(file.parent)\n",
        "",
        POWER_LOSS,
    ),
    Fault(
        "sqlite-version-is-set-before-its-tables-are-made",
        f"{SQLITE}/schema.py",
        'f"BEGIN IMMEDIATE; {script} {pragmas} COMMIT;"',
        'f"{pragmas} BEGIN IMMEDIATE; {script} COMMIT;"',
        POWER_LOSS,
    ),
)
