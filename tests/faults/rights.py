"""The faults of rights, of what clients send, and of races, for `table.FAULTS`."""

from .table import ROOM, Fault

PERMISSIONS = "src/chatcore/domain/permissions.py"
MATRIX = "tests/integration/test_rights_matrix.py"
OVER_HTTP = f"{MATRIX}::test_over_http_everybody_gets_the_answer_of_the_table"
OVER_SOCKETS = f"{MATRIX}::test_over_a_socket_everybody_gets_the_answer_of_the_table"
ANYWHERE = "tests/integration/test_rights_anywhere.py"
INPUT = "tests/integration/test_http_input.py"
RACES = "tests/unit/test_races.py"

FAULTS = (
    Fault(
        "strangers-are-told-forbidden",
        PERMISSIONS,
        "return Forbidden() if kind is not None and its_rank in MEMBERS else NotFound()",
        "return Forbidden() if kind is not None else NotFound()",
        OVER_HTTP,
    ),
    Fault(
        "a-room-that-is-there-is-not-found-in-other-words",
        PERMISSIONS,
        "return Forbidden() if kind is not None and its_rank in MEMBERS else NotFound()",
        "return Forbidden() if kind is not None and its_rank in MEMBERS else NotFound('Out.' if kind else None)",
        OVER_SOCKETS,
    ),
    Fault(
        "admins-act-on-owners",
        PERMISSIONS,
        '    return rank(member) == "owner" or rank(other) not in LEADERS',
        "    return rank(member) in LEADERS or rank(other) not in LEADERS",
        OVER_HTTP,
    ),
    Fault(
        "anybody-edits",
        "src/chatcore/commands/messages.py",
        "        if entry.author != user:\n",
        "        if False:\n",
        OVER_SOCKETS,
    ),
    Fault(
        "the-last-owner-leaves",
        "src/chatcore/commands/membership.py",
        "        if state.is_last_owner(user) and state.count() > 1:",
        "        if False:",
        OVER_HTTP,
    ),
    Fault(
        "the-invited-are-shown-the-last-entry",
        "src/chatcore/protocol/objects.py",
        '    elif view.member and view.member.standing == "member":',
        "    elif view.member:",
        OVER_HTTP,
    ),
    Fault(
        "expired-tokens-are-good",
        "src/adapters/chatcore_security/tokens.py",
        "if self._clock() < exp else None",
        "if True else None",
        f"{MATRIX}::test_without_a_good_token_nothing_is_told_or_done",
    ),
    Fault(
        "one-joins-for-another",
        "src/adapters/chatcore_aiohttp/routes.py",
        "        return self.canonical(named) == user",
        "        return True",
        OVER_HTTP,
    ),
    Fault(
        "sockets-of-others-are-ended",
        "src/chatcore/sockets.py",
        "found = [one for one in await self.of_user(user) if one.id == socket]",
        "found = [one.info for one in self.here.values() if one.info.id == socket]",
        ANYWHERE,
    ),
    Fault(
        "a-socket-is-refreshed-by-anothers-token",
        "src/chatcore/sockets.py",
        "if principal is None or (principal.user, principal.session) != (info.user, info.session):",
        "if principal is None:",
        ANYWHERE,
    ),
    Fault(
        "a-body-contradicts-its-method",
        "src/adapters/chatcore_aiohttp/routes.py",
        "    if twice := (in_path.keys() | fixed.keys()) & others.keys():",
        "    if twice := in_path.keys() & others.keys():",
        INPUT,
    ),
    Fault(
        "an-escape-sequence-in-a-title",
        "src/chatcore/commands/fields.py",
        "title = line(1, 200)",
        "title = text(1, 200)",
        INPUT,
    ),
    Fault(
        "a-path-is-refused-in-words-of-the-command",
        "src/adapters/chatcore_aiohttp/routes.py",
        "        called = USER if name in ADDRESSEES else name",
        "        called = name",
        INPUT,
    ),
    Fault(
        "a-name-in-two-spellings-is-two",
        "src/chatcore/commands/fields.py",
        "    return tuple(dict.fromkeys(users))",
        "    return tuple(users)",
        "tests/unit/test_chat.py",
    ),
    Fault(
        "marks-above-head",
        "src/chatcore/commands/marking.py",
        "        self._check(view, context.rights)\n",
        "",
        INPUT,
    ),
    Fault(
        "decided-on-a-state-that-has-passed",
        ROOM,
        "            self._state = evolve(self._state, entry)",
        "            self._state = changed(self._state, head=entry.seq)",
        RACES,
    ),
    Fault(
        "decided-on-a-message-as-it-was",
        "src/chatcore/live/room.py",
        "            self._waiting.forget(entry.event.target, entry.seq)",
        "            pass",
        f"{RACES}::test_some_order_of_two_simultaneous_commands_explains_what_they_come_to",
    ),
    Fault(
        "another-content-for-a-key-is-a-duplicate",
        "src/chatcore/live/waiting.py",
        "    if entry.digest is not None and entry.digest != command.digest:",
        "    if False:",
        f"{RACES}::test_some_order_of_two_simultaneous_commands_explains_what_they_come_to",
    ),
)
