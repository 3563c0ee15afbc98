"""The faults of the stores in MongoDB, for `table.FAULTS`."""

from .table import Fault

MONGO = "src/adapters/chatcore_mongo"
IN_MONGO = "tests/integration/test_mongo_store.py"
COMMANDS = "tests/integration/test_mongo_commands.py"
REAL = "tests/integration/test_mongo_faults.py"
RACES = "tests/integration/test_mongo_races.py"
PLANS = "tests/integration/test_mongo_store_plans.py"
CUT = "tests/integration/test_mongo_store_cut.py"
OPENING = "tests/integration/test_mongo_opening.py"
SERVER = "tests/integration/test_serve_mongo.py"
DURABLE = f"{COMMANDS}::test_whatever_the_address_says_reads_see_what_a_majority_has_and_writes_wait_for_it"
VERDICTS = f"{COMMANDS}::test_what_waits_in_many_rooms_goes_out_together_and_each_entry_has_its_own_verdict"
UNERASED = f"{REAL}::test_a_text_whose_erasure_failed_is_told_by_nobody_and_erased_by_whoever_sweeps"
LOST = (
    f"{REAL}::test_a_database_that_is_not_the_one_that_was_opened_is_refused_from_a_look_at_it_until_it_is_opened_anew"
)

FAULTS = (
    Fault(
        "mongo-opening-that-is-cancelled-leaves-the-database-open",
        "src/adapters/chatcore_mongo/store.py",
        "            await self.database.__aexit__(None, None, None)\n            raise\n",
        "            raise\n",
        "tests/integration/test_mongo_opening.py::test_opening_cancelled_in_its_last_step_closes_the_database",
    ),
    Fault(
        "the-last-message-of-a-page-is-as-it-was-written",
        f"{MONGO}/windows.py",
        "place + page.after + 1)",
        "place + page.after)",
        f"{IN_MONGO}::TestMongoLog::test_after_a_deletion_no_read_tells_the_text_whatever_the_batches",
    ),
    Fault(
        "every-duplicate-is-taken-for-the-keys",
        f"{MONGO}/committing.py",
        '    return "key" if "key" in one["keyPattern"] else "seq"',
        '    return "key"',
        f"{RACES}::test_of_two_clients_who_fight_for_each_seq_one_gets_it_and_no_hole_is_left",
    ),
    Fault(
        "every-duplicate-is-taken-for-the-seqs",
        f"{MONGO}/committing.py",
        '    return "key" if "key" in one["keyPattern"] else "seq"',
        '    return "seq"',
        f"{RACES}::test_a_key_that_another_client_took_ends_a_batch_where_it_stands",
    ),
    Fault(
        "one-verdict-for-all-that-went-out-together",
        f"{MONGO}/committing.py",
        '        outcomes[one["index"]] = _verdict(one)',
        "        outcomes = [_verdict(one)] * len(documents)",
        VERDICTS,
    ),
    Fault(
        "every-entry-goes-out-alone",
        f"{MONGO}/committing.py",
        "range(min(len(self._waiting), TOGETHER))",
        "range(1)",
        VERDICTS,
    ),
    Fault(
        "entries-of-one-room-go-out-in-any-order",
        f"{MONGO}/committing.py",
        "            group.append(queue.popleft())\n",
        "            group += queue\n            queue.clear()\n",
        f"{COMMANDS}::test_of_one_room_no_two_entries_go_out_in_any_order",
    ),
    Fault(
        "a-batch-goes-on-behind-a-key-that-is-taken",
        f"{MONGO}/committing.py",
        "        await database[ENTRIES].insert_many(documents, session=session)",
        "        await database[ENTRIES].insert_many(documents, ordered=False, session=session)",
        f"{RACES}::test_a_key_that_another_client_took_ends_a_batch_where_it_stands",
    ),
    Fault(
        "what-no-majority-tells-of-is-written",
        f"{MONGO}/committing.py",
        '    if "writeConcernError" in said:\n',
        "    if False:\n",
        f"{REAL}::test_a_write_of_which_no_majority_tells_is_not_acknowledged",
    ),
    Fault(
        "a-batch-of-which-no-majority-tells-is-written",
        f"{MONGO}/committing.py",
        '        if error.details["writeConcernErrors"]:\n            raise\n',
        '        if not error.details["writeErrors"]:\n            return Inserted(len(documents))\n',
        f"{REAL}::test_a_write_of_which_no_majority_tells_is_not_acknowledged",
    ),
    Fault(
        "a-duplicate-is-acknowledged-before-a-majority-has-it",
        f"{MONGO}/appending.py",
        "            pending, found = await reading.ask(\n",
        "            from pymongo.read_concern import ReadConcern\n\n"
        '            reading._database = reading._database.with_options(read_concern=ReadConcern("local"))\n'
        "            pending, found = await reading.ask(\n",
        DURABLE,
    ),
    Fault(
        "reads-see-what-no-majority-has",
        f"{MONGO}/database.py",
        'READ_CONCERN = ReadConcern("majority")',
        'READ_CONCERN = ReadConcern("local")',
        f"{REAL}::test_what_no_majority_has_is_not_there_and_no_duplicate_of_it_is_acknowledged",
    ),
    Fault(
        "writes-wait-for-one-server",
        f"{MONGO}/database.py",
        'WRITE_CONCERN = WriteConcern(w="majority", j=True)',
        "WRITE_CONCERN = WriteConcern(w=1, j=True)",
        DURABLE,
    ),
    Fault(
        "writes-do-not-wait-for-the-journal",
        f"{MONGO}/database.py",
        'WRITE_CONCERN = WriteConcern(w="majority", j=True)',
        'WRITE_CONCERN = WriteConcern(w="majority")',
        DURABLE,
    ),
    Fault(
        "a-hole-is-written",
        f"{MONGO}/preparing.py",
        "    found = await reading.ask_one(queries.entry_at(room, seq))",
        "    found = await reading.ask_one(queries.head(room))",
        f"{IN_MONGO}::TestMongoLog",
    ),
    Fault(
        "who-is-cancelled-takes-the-write-along",
        f"{MONGO}/database.py",
        "        return await asyncio.shield(self.start(run()))",
        "        return await run()",
        f"{REAL}::test_who_is_cancelled_amid_a_write_of_several_steps_leaves_none_of_them_out",
    ),
    Fault(
        "who-is-cancelled-cancels-the-driver",
        f"{MONGO}/database.py",
        "        return await asyncio.shield(self.start(work, copy_context()))",
        "        return await work",
        f"{REAL}::test_who_gives_up_while_there_is_no_server_leaves_a_store_that_heals",
    ),
    Fault(
        "an-error-of-the-driver-leaves-the-store",
        f"{MONGO}/faults.py",
        "        if is_temporary(error):",
        "        if False:",
        f"{REAL}::test_a_killed_server_is_unavailable_in_time_and_heals",
    ),
    Fault(
        "each-command-of-a-call-has-all-of-its-time",
        f"{MONGO}/database.py",
        "            async with asyncio.timeout_at(began + GIVE_UP_S):",
        "            async with asyncio.timeout_at(None):",
        f"{REAL}::test_a_call_of_several_commands_that_are_all_slow_is_unavailable_in_time",
    ),
    Fault(
        "a-text-that-is-still-to-be-erased-is-shown",
        f"{MONGO}/presenting.py",
        "    return redacted(entry) if target in gone and",
        "    return redacted(entry) if False and",
        UNERASED,
    ),
    Fault(
        "a-message-that-is-still-to-be-erased-is-unread",
        f"{MONGO}/queries.py",
        "    if gone:\n",
        "    if False:\n",
        UNERASED,
    ),
    Fault(
        "what-is-still-to-be-erased-stays",
        f"{MONGO}/store.py",
        "        if pending:\n            await self._appender.erase_what_is_pending()\n",
        "",
        UNERASED,
    ),
    Fault(
        "an-append-waits-from-when-its-command-goes-out",
        f"{MONGO}/committing.py",
        ", since=since)",
        ")",
        f"{REAL}::test_what_waits_behind_slow_commands_is_answered_or_unavailable_in_time",
    ),
    Fault(
        "a-store-used-while-closed-waits-for-nobody-ever-after",
        f"{MONGO}/committing.py",
        "            self._database.start(self._run)\n            self._under_way += 1\n",
        "            self._under_way += 1\n            self._database.start(self._run)\n",
        f"{REAL}::test_a_store_that_was_used_while_it_was_closed_works_once_it_is_entered_again",
    ),
    Fault(
        "what-becomes-visible-late-is-never-told",
        f"{MONGO}/following.py",
        "OVERLAP_S = 10",
        "OVERLAP_S = 0",
        f"{COMMANDS}::test_what_becomes_visible_behind_a_position_is_told_with_the_next_calls_and_once",
    ),
    Fault(
        "what-was-told-is-told-with-each-call",
        f"{MONGO}/following.py",
        "                told.add(found)\n",
        "",
        f"{COMMANDS}::test_what_becomes_visible_behind_a_position_is_told_with_the_next_calls_and_once",
    ),
    Fault(
        "what-is-late-is-told-as-far-as-one-answer-goes",
        f"{MONGO}/following.py",
        "        late = [told.late.popleft() for _ in range(min(limit, len(told.late)))]\n",
        "        late = list(told.late)[:limit]\n        told.late.clear()\n",
        f"{COMMANDS}::test_what_becomes_visible_behind_a_position_is_told_with_the_next_calls_and_once",
    ),
    Fault(
        "whoever-starts-is-told-the-last-seconds",
        f"{MONGO}/following.py",
        '        told.entries.update({one["second"]: one["entries"] for one in seconds})\n',
        "",
        f"{COMMANDS}::test_whoever_starts_is_not_told_what_could_be_read_before",
    ),
    Fault(
        "changes-that-were-put-together-look-like-the-last",
        f"{MONGO}/following.py",
        '        told.to_be_continued = sum(one["entries"] for one in new) == left\n',
        "        told.to_be_continued = len(new) == left\n",
        f"{COMMANDS}::test_there_is_more_behind_changes_that_were_put_together",
    ),
    Fault(
        "each-page-of-changes-looks-back",
        f"{MONGO}/following.py",
        "        if not told.to_be_continued or moment - told.looked_back_at >= SECOND:\n",
        "        if True:\n",
        f"{COMMANDS}::test_whoever_is_far_behind_does_not_look_back_with_each_page",
    ),
    Fault(
        "who-leaves-is-not-found-by-the-entry",
        f"{MONGO}/preparing.py",
        "affects_document({user: after.members.get(user) for user in users})",
        "affects_document(dict(after.members))",
        f"{IN_MONGO}::TestMongoLog",
    ),
    Fault(
        "a-membership-is-told-by-a-second-write-alone",
        f"{MONGO}/listing.py",
        '        rooms = list({one["room"]: None for one in first})\n',
        '        kept = await reading._database.rosters.find({"members.0.0": user}).to_list()\n'
        '        rooms = [one["_id"] for one in kept]\n',
        f"{CUT}::test_whoever_asks_first_after_a_cut_sees_all_of_a_write_or_nothing",
    ),
    Fault(
        "marks-overwrite-each-other-in-mongo",
        f"{MONGO}/marking.py",
        '        update["$max"] = most',
        '        update["$set"] = most',
        f"{IN_MONGO}::TestMongoMarkers",
    ),
    Fault(
        "whoever-joins-again-goes-on-in-mongo",
        f"{MONGO}/documents.py",
        '    if document is None or document["since"] != since:',
        "    if document is None:",
        f"{IN_MONGO}::TestMongoMarkers",
    ),
    Fault(
        "keys-may-be-used-twice-in-mongo",
        f"{MONGO}/migrations.py",
        'name="by_key", unique=True)',
        'name="by_key")',
        f"{IN_MONGO}::TestMongoLog",
    ),
    Fault(
        "an-index-is-missing",
        f"{MONGO}/migrations.py",
        '    IndexModel([("room", 1), ("seq", 1)], name="shapes", partialFilterExpression={"shape": True}),\n',
        "",
        f"{PLANS}::test_a_query_uses_the_index_that_was_made_for_it",
    ),
    Fault(
        "a-query-does-not-say-enough-for-its-index",
        f"{MONGO}/queries.py",
        '        {"$match": {"room": room, "seq": {"$gt": after, "$lte": upto}, "shape": True}},',
        '        {"$match": {"room": room, "seq": {"$gt": after, "$lte": upto}, "affects.user": {"$exists": True}}},',
        f"{PLANS}::test_a_query_uses_the_index_that_was_made_for_it",
    ),
    Fault(
        "a-page-is-sorted-in-memory",
        f"{MONGO}/queries.py",
        '        order = {"room": direction, "kind": direction, "seq": direction}\n'
        '        return _entries({"$match": {**place',
        '        order = {"room": direction, "at": direction, "seq": direction}\n'
        '        return _entries({"$match": {**place',
        f"{PLANS}::test_a_page_in_the_middle_of_a_long_room_looks_at_what_it_returns_and_two_more",
    ),
    Fault(
        "a-newer-database-is-opened",
        f"{MONGO}/migrations.py",
        "    if found > len(MIGRATIONS):",
        "    if False:",
        f"{SERVER}::test_a_database_of_a_newer_version_ends_it",
    ),
    Fault(
        "a-version-that-is-none-is-taken",
        f"{MONGO}/migrations.py",
        "    if type(its_version) not in (int, Int64) or its_version < 0:",
        "    if False:",
        f"{OPENING}::test_database_that_says_of_itself_what_can_not_be_is_refused",
    ),
    Fault(
        "each-of-many-servers-makes-its-secret",
        "src/entrypoints/chatcore_server/bootstrap.py",
        "    if settings.store.startswith(MONGODB):",
        "    if False:",
        f"{SERVER}::test_a_shared_store_needs_a_secret_that_is_given",
    ),
    Fault(
        "a-database-that-can-only-be-read-is-ready",
        f"{MONGO}/probing.py",
        '    written = await mongo[META].update_one(store, {"$currentDate": {"probed": True}}, session=its)\n'
        "    return written.matched_count == 1",
        "    return await mongo[META].find_one(store, session=its) is not None",
        f"{REAL}::test_a_database_that_takes_no_writes_is_found_out_by_a_probe",
    ),
    Fault(
        "a-probe-takes-any-database",
        f"{MONGO}/probing.py",
        "    return written.matched_count == 1",
        "    return True",
        LOST,
    ),
    Fault(
        "whoever-follows-takes-any-database",
        f"{MONGO}/store.py",
        '            if [one.get("epoch") for one in stores] != [self.epoch]:',
        "            if False:",
        LOST,
    ),
    Fault(
        "a-database-that-was-lost-is-used",
        f"{MONGO}/database.py",
        "        if self._session is None or self._session.lost:\n            raise Unavailable",
        "        if self._session is None:\n            raise Unavailable",
        LOST,
    ),
    Fault(
        "a-database-that-was-lost-is-entered",
        f"{MONGO}/database.py",
        "            elif self._session.lost:",
        "            elif False:",
        LOST,
    ),
    Fault(
        "what-is-remembered-of-a-dropped-database-is-appended-to",
        f"{MONGO}/store.py",
        "            self._know_nothing()  # what",
        "            pass  # what",
        LOST,
    ),
    Fault(
        "the-log-shows-the-databases-password",
        f"{MONGO}/database.py",
        '        self._write_faults = FaultLog(f"MongoDB at {self.where}", "written to")',
        '        self._write_faults = FaultLog(f"MongoDB at {self._url}", "written to")',
        "tests/unit/test_mongo_addresses.py::test_what_is_said_of_a_fault_holds_nothing_secret_of_the_address",
    ),
    Fault(
        "a-refusal-shows-the-databases-password",
        f"{MONGO}/addresses.py",
        '    return hosts[1] if hosts else ""',
        "    return url",
        f"{SERVER}::test_an_address_that_can_not_be_reached_ends_it_and_no_password_is_shown",
    ),
    Fault(
        "mongo-a-name-with-a-dot-is-cut-at-it",
        f"{MONGO}/addresses.py",
        "    if name in _ITS_OWN or _NOT_IN_A_NAME.search(name) or",
        "    if name in _ITS_OWN or",
        "tests/unit/test_mongo_addresses.py",
    ),
    Fault(
        "a-refusal-shows-what-entries-hold",
        f"{MONGO}/explaining.py",
        '            name = (details or {}).get("codeName")',
        '            name = (details or {}).get("errmsg")',
        f"{OPENING}::test_entries_that_contradict_each_other_are_told_without_what_they_hold",
    ),
    Fault(
        "mongo-another-database-is-named",
        "src/entrypoints/chatcore_server/welcome.py",
        'return unquote(named[1]) if named else "chatcore"',
        'return "chatcore"',
        "tests/unit/test_server_welcome.py",
    ),
    Fault(
        "mongo-an-option-is-shown-for-the-host",
        "src/entrypoints/chatcore_server/welcome.py",
        "(?:[^/?]*@)?",
        "(?:.*@)?",
        "tests/unit/test_server_welcome.py",
    ),
    Fault(
        "mongo-a-password-cut-by-a-slash-is-shown-for-the-host",
        f"{MONGO}/addresses.py",
        "    if _CUT_BY_A_SLASH.match(url):",
        "    if False:",
        "tests/unit/test_mongo_addresses.py",
    ),
)
