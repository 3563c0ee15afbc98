"""The faults of the bundled accounts, for `table.FAULTS`."""

from .table import Fault

ACCOUNTS = "src/chatcore/accounts/accounts.py"
TOKENS = "src/adapters/chatcore_security/tokens.py"
SIGNING_IN = "tests/unit/test_accounts.py"
REFRESHING = "tests/unit/test_accounts_refresh.py"

FAULTS = (
    Fault(
        "a-socket-is-admitted-by-what-was-true-10-seconds-ago",
        "src/chatcore/accounts/accounts.py",
        "        return await self._whom(credentials, anew=True)",
        "        return await self._whom(credentials, anew=False)",
        "tests/unit/test_accounts.py",
    ),
    Fault(
        "accounts-spent-token-always-repeats",
        ACCOUNTS,
        "        if rotation.spent_for is not None and rotation.spent_for <= REPEAT_FOR:",
        "        if rotation.spent_for is not None:",
        f"{REFRESHING}::test_after_5_s_a_spent_token_revokes_its_session",
    ),
    Fault(
        "accounts-spent-token-never-repeats",
        ACCOUNTS,
        "REPEAT_FOR = timedelta(seconds=5)",
        "REPEAT_FOR = timedelta(seconds=-1)",
        f"{REFRESHING}::test_within_5_s_a_spent_token_gives_the_same_new_one_again_on_any_node",
    ),
    Fault(
        "accounts-clock-set-back-repeats-a-spent-token",
        "src/chatcore/accounts/ports/account_store.py",
        "    return None if age is None or age < timedelta(0) else age",
        "    return age",
        f"{REFRESHING}::test_spent_token_revokes_its_session_after_the_clock_was_set_back",
    ),
    Fault(
        "accounts-reuse-without-revocation",
        ACCOUNTS,
        "            await self._end(rotation.session)\n",
        "            pass\n",
        f"{REFRESHING}::test_after_5_s_a_spent_token_revokes_its_session",
    ),
    Fault(
        "accounts-forged-refresh-believed",
        TOKENS,
        "            if not hmac.compare_digest(self._signed(text), token):",
        "            if False:",
        f"{REFRESHING}::test_a_token_with_any_character_changed_is_refused_and_changes_nothing",
    ),
    Fault(
        "accounts-rotation-not-conditional",
        "src/adapters/chatcore_sqlite/accounts.py",
        "            if session.generation == generation:",
        "            if True:",
        "tests/integration/test_sqlite_accounts.py",
    ),
    Fault(
        "accounts-unknown-user-answered-sooner",
        ACCOUNTS,
        "                right = await self._hasher.verify(password, password_hash)",
        "                right = password_hash is not None and await self._hasher.verify(password, password_hash)",
        f"{SIGNING_IN}::test_an_unknown_user_a_wrong_password_and_a_refused_name_get_one_answer_for_one_effort",
    ),
    Fault(
        "accounts-ended-session-believed-here",
        ACCOUNTS,
        "            self._known.ended(session.id)\n",
        "",
        f"{SIGNING_IN}::test_signing_out_ends_one_session_here_at_once_and_tells_so",
    ),
    Fault(
        "accounts-session-believed-for-ever",
        "src/chatcore/accounts/known_sessions.py",
        " and now - asked_at < GOOD_FOR_S",
        "",
        f"{SIGNING_IN}::test_another_node_believes_for_less_than_10_s_that_a_session_is_open",
    ),
    Fault(
        "accounts-sockets-left-open",
        ACCOUNTS,
        "            await self._on_ended(session.user, session.id)\n",
        "",
        f"{SIGNING_IN}::test_signing_out_ends_one_session_here_at_once_and_tells_so",
    ),
    Fault(
        "accounts-sockets-are-refreshed-by-any-session",
        "src/chatcore/sockets.py",
        "(principal.user, principal.session) != (info.user, info.session)",
        "principal.user != info.user",
        "tests/unit/live/test_deadlines.py"
        "::test_token_of_another_session_or_user_is_refused_and_the_socket_ends_as_before",
    ),
    Fault(
        "accounts-password-at-rest",
        ACCOUNTS,
        "                password_hash = await self._hasher.hash(password)",
        '                password_hash = f"{await self._hasher.hash(password)}{password}"',
        "tests/integration/test_sqlite_accounts.py::test_the_files_hold_neither_password_nor_token",
    ),
    Fault(
        "accounts-token-in-a-repr",
        ACCOUNTS,
        "    refresh_token: str = field(repr=False)",
        "    refresh_token: str",
        "tests/unit/test_accounts_secrets.py",
    ),
    Fault(
        "accounts-expired-token-believed",
        TOKENS,
        " if self._clock() < exp else None",
        "",
        "tests/unit/test_security_tokens.py::test_there_is_no_leeway",
    ),
    Fault(
        "accounts-any-hmac-algorithm",
        TOKENS,
        "self._access_key, [ALGORITHM], options",
        'self._access_key, ["HS256", "HS384", "HS512"], options',
        "tests/unit/test_security_tokens.py",
    ),
)
