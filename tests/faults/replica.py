"""The faults of a client's rules, for `table.FAULTS`."""

from .table import Fault

ROOMS = "src/chatcore/replica/rooms.py"
OUTBOX = "src/chatcore/replica/outbox.py"
LINE = "src/chatcore/replica/replica.py"
TIMELINE = "src/chatcore/replica/timeline.py"
CURSOR = "src/chatcore/replica/cursor.py"

IN_ROOMS = "tests/unit/test_replica_rooms.py"
IN_PAGES = "tests/unit/test_replica_pages.py"
IN_COMMANDS = "tests/unit/test_replica_commands.py"
IN_TIMELINE = "tests/unit/test_replica_timeline.py"
LAWS = "tests/unit/test_replica_laws.py"
PUSHED = f"{LAWS}::test_however_entries_are_pushed_a_client_ends_with_the_log_of_the_store"
IN_ORDER = f"{IN_COMMANDS}::test_whatever_fails_each_room_has_each_command_once_in_the_order_in_which_it_was_given"
SNAPSHOT = f"{IN_TIMELINE}::test_a_snapshot_and_what_is_pushed_after_it_are_a_fresh_snapshot"
ANY_ORDER = f"{IN_TIMELINE}::test_of_two_edits_the_later_one_holds_whichever_comes_first"
NAMED = f"{IN_TIMELINE}::test_nobody_is_named_behind_users_who_are_not"
STUB = f"{IN_TIMELINE}::test_a_deletion_leaves_a_stub_and_no_text_anywhere"

FAULTS = (
    # What a client has of its rooms.
    Fault(
        "client-takes-an-older-answer-for-an-invitation",
        ROOMS,
        'and shown["head"] <= cursor.seq',
        "and False",
        f"{IN_ROOMS}::test_room_get_answer_overtaken_by_joining_does_not_show_an_invitation",
    ),
    Fault(
        "client-ignores-an-invitation-after-its-removal",
        ROOMS,
        'and shown["head"] <= cursor.seq',
        "and True",
        f"{IN_ROOMS}::test_who_was_removed_and_invited_again_while_away_is_shown_as_invited",
    ),
    Fault("client-takes-entries-twice", ROOMS, "        if seq <= cursor.seq:", "        if seq == 0:", PUSHED),
    Fault(
        "client-does-not-see-what-was-passed-over",
        ROOMS,
        "cursor.moved(missed, lacking=True), seq=seq)",
        "cursor, seq=seq)",
        PUSHED,
    ),
    Fault(
        "client-takes-pushes-before-its-sync",
        ROOMS,
        '            case "entry" | "room" | "room.gone" if body["room"] in self._stale:',
        '            case "nothing":',
        f"{IN_ROOMS}::test_from_connecting_until_the_sync_is_answered_what_is_pushed_of_a_room_is_dropped",
    ),
    Fault(
        "client-does-not-sync-on-a-new-line",
        ROOMS,
        "        self._stale = dict.fromkeys(self.cursors)",
        "        pass",
        f"{IN_ROOMS}::test_events_are_given_as_of_the_answers_head_and_without_what_is_there",
    ),
    Fault(
        "client-takes-what-sync-gives-again",
        ROOMS,
        'for entry in one.get("entries", ()) if entry["seq"] > cursor.seq]',
        'for entry in one.get("entries", ())]',
        f"{IN_ROOMS}::test_events_are_given_as_of_the_answers_head_and_without_what_is_there",
    ),
    Fault("client-skips-a-gap", ROOMS, 'lacking=one["status"] != "events")', "lacking=False)", PUSHED),
    Fault(
        "client-keeps-the-room-over-a-reset",
        ROOMS,
        'self._forget(room) if one["status"] == "reset" else []',
        "[]",
        f"{IN_ROOMS}::test_a_reset_forgets_the_room_before_it_is_paged_anew",
    ),
    Fault(
        "client-keeps-an-old-epoch",
        ROOMS,
        'evolve(self.cursors.get(room, NOTHING), epoch=one["epoch"])',
        'self.cursors.get(room) or Cursor(one["epoch"], 0)',
        f"{IN_ROOMS}::test_a_cursor_at_nothing_takes_the_epoch_that_it_is_answered_with",
    ),
    Fault(
        "client-keeps-a-room-that-is-gone",
        ROOMS,
        '        if one["status"] == "gone":\n            return self._gone(room)',
        '        if one["status"] == "gone":\n            return []',
        f"{IN_ROOMS}::test_a_room_that_is_gone_is_forgotten",
    ),
    Fault(
        "client-keeps-its-cursor-after-room-gone",
        ROOMS,
        "        self.cursors.pop(room, None)\n",
        "",
        f"{IN_ROOMS}::test_after_room_gone_nothing_is_kept_and_nothing_asked",
    ),
    Fault(
        "client-takes-a-higher-head-for-its-own",
        ROOMS,
        'cursor.moved(shown["head"], lacking=True)',
        'cursor.moved(shown["head"], lacking=False)',
        f"{IN_ROOMS}::test_a_room_whose_head_is_above_the_cursor_is_a_gap_that_is_paged",
    ),
    Fault(
        "client-forgets-what-came-while-it-asked-for-a-room",
        ROOMS,
        'max(shown["head"], told)',
        'shown["head"]',
        f"{IN_ROOMS}::test_entries_that_came_while_an_unknown_room_was_asked_for_are_paged",
    ),
    Fault(
        "client-ignores-entries-of-unknown-rooms",
        ROOMS,
        "            self._unknown[room] = max(seq, self._unknown.get(room, 0))\n",
        "",
        f"{IN_ROOMS}::test_an_entry_of_an_unknown_room_asks_for_the_room_once_and_gives_the_entry",
    ),
    Fault(
        "client-takes-back-a-room-that-is-gone",
        ROOMS,
        '        return self._seen(room) if room["room"] in self.cursors or room["room"] in self._unknown else []',
        "        return self._seen(room)",
        f"{IN_ROOMS}::test_an_answer_that_is_older_than_room_gone_does_not_bring_the_room_back",
    ),
    Fault(
        "client-does-not-end-an-invitation",
        ROOMS,
        "        self.cursors.pop(room, None)\n        return [Forget(room)]",
        "        return [Forget(room)] if self.cursors.pop(room, None) else []",
        f"{IN_ROOMS}::test_an_invitation_that_ends_is_forgotten",
    ),
    Fault(
        "client-keeps-an-invitation-over-a-break",
        ROOMS,
        "        return [Forget(room) for room in sorted(invited)]",
        "        return []",
        f"{IN_ROOMS}::test_an_invitation_that_ended_while_away_is_forgotten_on_the_next_line",
    ),
    Fault(
        "client-drops-a-joined-room-at-a-break",
        ROOMS,
        "self._invited - self.cursors.keys(), set()",
        "self._invited, set()",
        f"{IN_ROOMS}::test_a_room_once_joined_by_invitation_is_kept_over_a_break",
    ),
    Fault(
        "client-loses-an-invitation-to-gone",
        ROOMS,
        "            self._unknown[room] = 0\n",
        "            pass\n",
        f"{IN_ROOMS}::test_who_was_removed_and_invited_again_while_away_is_shown_as_invited",
    ),
    Fault(
        "client-sends-too-many-cursors",
        ROOMS,
        "CURSORS_MAX = 500",
        "CURSORS_MAX = 501",
        f"{IN_ROOMS}::test_a_large_sync_is_split_and_the_rest_stays_in_doubt",
    ),
    Fault(
        "client-sends-too-large-a-sync",
        ROOMS,
        "len(cursors) == CURSORS_MAX or size > SYNC_CHARACTERS_MAX",
        "len(cursors) == CURSORS_MAX",
        f"{IN_ROOMS}::test_a_large_sync_is_split_and_the_rest_stays_in_doubt",
    ),
    Fault(
        "client-trusts-what-it-did-not-name",
        ROOMS,
        "        self._trust(cursors)\n",
        "        self._stale.clear()\n",
        f"{IN_ROOMS}::test_a_large_sync_is_split_and_the_rest_stays_in_doubt",
    ),
    # Paging.
    Fault(
        "client-takes-a-cut-page-for-a-whole-one",
        ROOMS,
        '        start = min((entry["seq"] for entry in new), default=first)',
        "        start = first",
        f"{IN_PAGES}::test_a_page_that_was_cut_for_its_size_leaves_the_rest_lacking",
    ),
    Fault(
        "client-gives-up-a-hole-that-was-refused",
        ROOMS,
        "        if room in self.cursors:\n            self.doubt([room])",
        "        if room in self.cursors:\n"
        "            self.cursors[room] = evolve(self.cursors[room], holes=())\n"
        "            self.doubt([room])",
        f"{IN_PAGES}::test_who_is_a_member_again_after_a_refused_page_lacks_nothing",
    ),
    Fault(
        "client-takes-a-page-of-another-epoch",
        ROOMS,
        'page["epoch"] != cursor.epoch or ',
        "",
        f"{IN_PAGES}::test_a_page_of_another_epoch_is_not_taken_and_the_room_asked_for",
    ),
    Fault(
        "client-takes-a-page-of-a-shorter-log",
        ROOMS,
        ' or page["head"] < last',
        "",
        f"{IN_PAGES}::test_a_log_that_ends_below_the_hole_is_asked_for",
    ),
    Fault(
        "client-takes-a-page-for-another-hole",
        ROOMS,
        "        if cursor is None or hole not in cursor.holes:",
        "        if cursor is None:",
        f"{IN_PAGES}::test_a_page_of_a_room_forgotten_meanwhile_is_not_taken",
    ),
    Fault(
        "client-pages-a-room-in-doubt",
        ROOMS,
        "return self._due_sync() or self._due_list() or self._due_room() or self._due_page()",
        "return self._due_page() or self._due_list() or self._due_room() or self._due_sync()",
        f"{IN_PAGES}::test_nothing_is_paged_before_what_is_in_doubt_is_known",
    ),
    Fault(
        "client-forgets-its-holes",
        CURSOR,
        "return evolve(self, seq=seq, holes=holes)",
        "return evolve(self, seq=seq)",
        PUSHED,
    ),
    # Commands.
    Fault(
        "client-lets-commands-overtake",
        OUTBOX,
        "            if command.failed or (command.place and command.place in held):",
        "            if command.failed:",
        IN_ORDER,
    ),
    Fault(
        "client-does-not-repeat-after-a-break",
        OUTBOX,
        "            command.sent = command.failed = False",
        "            command.failed = False",
        IN_ORDER,
    ),
    Fault(
        "client-repeats-without-waiting",
        OUTBOX,
        "            command.sent, command.failed = False, True",
        "            command.sent = False",
        f"{IN_COMMANDS}::test_no_command_overtakes_one_to_its_room_that_waits_to_be_repeated",
    ),
    Fault(
        "client-takes-a-temporary-failure-for-the-end",
        OUTBOX,
        '        if not answer["ok"] and answer["error"]["temporary"] and command.repeatable:',
        "        if False:",
        IN_ORDER,
    ),
    Fault(
        "client-repeats-what-has-no-key",
        OUTBOX,
        '        return "key" in self.data',
        "        return True",
        f"{IN_COMMANDS}::test_what_has_no_key_is_not_repeated",
    ),
    Fault(
        "client-takes-a-user-for-another-place-than-their-room",
        OUTBOX,
        "                return private_room_id(self._user, user)",
        "                return user",
        f"{IN_COMMANDS}::test_no_command_overtakes_one_to_its_room_that_waits_to_be_repeated",
    ),
    Fault(
        "client-syncs-behind-its-commands",
        LINE,
        "*self._ask(), *self._outbox.due()]",
        "*self._outbox.due(), *self._ask()]",
        f"{IN_COMMANDS}::test_on_a_new_line_what_was_missed_is_asked_before_commands_are_repeated",
    ),
    Fault(
        "client-comes-again-sooner-than-it-was-told",
        LINE,
        'max(self._pause_ms, answer["error"].get("retry_after_ms", 0))',
        "self._pause_ms",
        f"{IN_COMMANDS}::test_a_wait_is_as_long_as_the_server_asks_for",
    ),
    Fault(
        "client-never-slows-down",
        LINE,
        "        self._pause_ms = min(2 * self._pause_ms, PAUSE_MS_MAX)\n",
        "",
        f"{IN_COMMANDS}::test_waits_grow_to_5_s_and_begin_small_again_after_a_success",
    ),
    Fault(
        "client-asks-all-at-once",
        LINE,
        "        if not self._online or self._paused or self._reading:",
        "        if not self._online or self._paused:",
        f"{IN_PAGES}::test_one_question_is_asked_at_a_time",
    ),
    Fault(
        "client-asks-on-while-it-should-wait",
        LINE,
        "        if not self._online or self._paused or self._reading:",
        "        if not self._online or self._reading:",
        f"{IN_ROOMS}::test_a_sync_that_fails_for_now_is_asked_again_and_drops_pushes_until_then",
    ),
    # Timelines.
    Fault(
        "client-applies-changes-twice", TIMELINE, "            if change > as_of:", "            if change:", SNAPSHOT
    ),
    Fault("client-applies-no-changes", TIMELINE, "            if change > as_of:", "            if False:", SNAPSHOT),
    Fault(
        "client-applies-changes-as-they-come",
        TIMELINE,
        "        insort(self._changes.setdefault(target, []), seq)",
        "        self._changes.setdefault(target, []).append(seq)",
        ANY_ORDER,
    ),
    Fault(
        "client-keeps-the-text-of-what-is-deleted",
        TIMELINE,
        "        if target not in self._deleted:",
        "        if True:",
        STUB,
    ),
    Fault(
        "client-keeps-the-text-of-edits-of-what-is-deleted",
        TIMELINE,
        "        for seq in {target, *self._changes[target]} & self._held.keys():",
        "        for seq in {target} & self._held.keys():",
        STUB,
    ),
    Fault(
        "client-keeps-a-text-that-was-deleted-since",
        TIMELINE,
        '            return {**_stub(message), "version": version}',
        '            return {**message, "version": version}',
        f"{IN_TIMELINE}::test_an_edit_without_its_text_says_that_the_message_was_deleted_since",
    ),
    Fault(
        "client-reacts-to-what-is-deleted",
        TIMELINE,
        '        case {"kind": "reacted"} if not message.get("deleted"):',
        '        case {"kind": "reacted"}:',
        STUB,
    ),
    Fault(
        "client-names-the-wrong-ones-who-react",
        TIMELINE,
        "    named = len(users) == count < REACTION_USERS_MAX",
        "    named = len(users) < REACTION_USERS_MAX",
        NAMED,
    ),
    Fault(
        "client-names-too-many-who-react",
        TIMELINE,
        "    named = len(users) == count < REACTION_USERS_MAX",
        "    named = len(users) == count",
        NAMED,
    ),
)
