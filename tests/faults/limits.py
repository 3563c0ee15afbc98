"""The faults of rate limits, for `table.FAULTS`."""

from .table import Fault

SIGN_IN = "src/chatcore/accounts/sign_in_limits.py"
QUEUE = "src/chatcore/accounts/hash_queue.py"
LINE = "src/chatcore/accounts/waiting_line.py"
COMMANDS = "src/chatcore/commands/limits.py"
ROOM = "src/chatcore/live/room.py"
ACCOUNTS_TEST = "tests/unit/test_accounts_limits.py"
CHAT_TEST = "tests/unit/test_chat_limits.py"

FAULTS = (
    Fault(
        "limits-window-counts-refusals",
        "src/adapters/chatcore_limits/windows.py",
        "        if len(times) + amount > limit:\n            return False\n        times.extend([now] * amount)\n",
        "        times.extend([now] * amount)\n        if len(times) > limit:\n            return False\n",
        "tests/unit/test_limits_limiter.py",
    ),
    Fault(
        "limits-keys-without-bound",
        "src/adapters/chatcore_limits/windows.py",
        "        if len(self._times) > self._keys_max:\n            self._times.popitem(last=False)\n",
        "",
        "tests/unit/test_limits_limiter.py",
    ),
    Fault(
        "limits-strangers-lock-a-user-out",
        SIGN_IN,
        "        is_guessed = not known and self._limiter",
        "        is_guessed = self._limiter",
        f"{ACCOUNTS_TEST}::test_known_address_does_not_wait_while_its_name_is_guessed",
    ),
    Fault(
        "limits-known-names-share-the-limit-of-their-address",
        SIGN_IN,
        "        if not known:\n            taken.append",
        "        if True:\n            taken.append",
        f"{ACCOUNTS_TEST}::test_known_name_passes_the_limit_of_its_address",
    ),
    Fault(
        "limits-refusals-use-up-the-address",
        SIGN_IN,
        '        taken: list[tuple[LimitName, str]] = [("sign_in", source.pair)]\n',
        '        self._limiter.take("sign_in_address", source.network)\n'
        '        taken: list[tuple[LimitName, str]] = [("sign_in", source.pair)]\n',
        f"{ACCOUNTS_TEST}::test_refusals_of_one_name_leave_the_address_to_other_names",
    ),
    Fault(
        "limits-success-forgives-nothing",
        SIGN_IN,
        '        self._limiter.clear("sign_in", source.pair)\n',
        "",
        f"{ACCOUNTS_TEST}::test_success_forgives_the_failures_of_its_name_and_address",
    ),
    Fault(
        "limits-full-queue-counts-as-a-wrong-password",
        SIGN_IN,
        "            if error.temporary:\n                self._give_back(taken)\n",
        "",
        f"{ACCOUNTS_TEST}::test_fault_of_the_server_is_no_failure_of_the_client",
    ),
    Fault(
        "limits-hash-queue-is-first-come-first-served",
        LINE,
        "            if last.attempts() <= attempts():",
        "            if True:",
        f"{ACCOUNTS_TEST}::test_user_signs_in_while_50_addresses_guess_the_name",
    ),
    Fault(
        "limits-refused-clients-come-back-together",
        QUEUE,
        "        self._booked_until = min(max(self._booked_until, now + waiting * step) + step, now + RETRY_S_MAX)",
        "        self._booked_until = now + waiting * step",
        f"{ACCOUNTS_TEST}::test_refused_clients_are_told_times_of_their_own",
    ),
    Fault(
        "limits-cancelled-sign-in-keeps-its-turn",
        LINE,
        "        if waiter in self._waiters:\n            self._waiters.remove(waiter)\n",
        "        if waiter in self._waiters and waiter.served:\n            self._waiters.remove(waiter)\n",
        ACCOUNTS_TEST,
    ),
    Fault(
        "limits-turn-of-a-cancelled-caller-is-lost",
        QUEUE,
        "            if waiter.served:\n                self._end()\n",
        "",
        "tests/unit/test_hash_queue.py::test_caller_whose_task_is_cancelled_as_its_turn_comes_hands_it_on",
    ),
    Fault(
        "limits-name-forges-a-log-line",
        SIGN_IN,
        "ascii(source.name[:NAME_SHOWN])",
        "source.name",
        f"{ACCOUNTS_TEST}::test_name_is_logged_escaped_and_cut",
    ),
    Fault(
        "limits-strangers-use-up-a-room",
        "src/chatcore/live/room.py",
        "        if waiting.limited and isinstance(outcome, Entry):",
        "        if waiting.limited:",
        f"{CHAT_TEST}::test_strangers_do_not_use_up_what_members_may_send",
    ),
    Fault(
        "limits-refused-message-overtakes",
        "src/chatcore/commands/dispatch.py",
        "            self.refuse(room, user, refusal, answer, socket)\n            return\n",
        "            answer(refusal)\n            return\n",
        f"{CHAT_TEST}::test_refused_message_keeps_its_place_and_takes_later_ones_along",
    ),
    Fault(
        "limits-members-of-a-new-room-are-no-invitations",
        "src/chatcore/commands/rooms.py",
        'return {"create": 1, "invite": len(self.members)} if self.members else {"create": 1}',
        'return {"create": 1}',
        f"{CHAT_TEST}::test_created_rooms_and_invitations_of_a_user_are_limited",
    ),
    Fault(
        "limits-room-takes-the-users-token",
        COMMANDS,
        "            self._users.give_back(user)\n",
        "            pass\n",
        f"{CHAT_TEST}::test_refusal_by_the_room_does_not_count_for_the_user",
    ),
    Fault(
        "limits-room-is-asked-whoever-sends",
        ROOM,
        "        if waiting.limited and isinstance(outcome, Entry):\n",
        "        if waiting.limited:\n",
        f"{CHAT_TEST}::test_room_at_its_limit_answers_a_stranger_as_one_that_does_not_exist",
    ),
    Fault(
        "limits-room-counts-every-attempt",
        ROOM,
        "            waiting.limited = False\n",
        "",
        f"{CHAT_TEST}::test_message_counts_once_for_its_room_however_often_it_is_decided",
    ),
    Fault(
        "limits-any-peer-forwards",
        "src/adapters/chatcore_aiohttp/proxies.py",
        "        while hops and self.trusts(client):",
        "        while hops:",
        "tests/unit/test_http_proxies.py",
    ),
    Fault(
        "limits-first-forwarded-address-counts",
        "src/adapters/chatcore_aiohttp/proxies.py",
        "hops.pop().strip()",
        "hops.pop(0).strip()",
        "tests/unit/test_http_proxies.py",
    ),
    Fault(
        "limits-upgrade-counts-twice",
        "src/adapters/chatcore_socketio/server.py",
        "        authenticate = self._authenticate if doorway else self._counting_authenticator(request)",
        "        authenticate = self._counting_authenticator(request)",
        "tests/integration/test_serve_limits.py::test_upgrade_of_a_polling_session_is_not_counted_again",
    ),
    Fault(
        "limits-closed-sign-up-is-open",
        "src/adapters/chatcore_aiohttp/accounts_routes.py",
        "        if not self.is_sign_up_open:",
        "        if False:",
        "tests/integration/test_serve_limits.py::test_closed_sign_up_is_forbidden_and_says_so",
    ),
    Fault(
        "limits-proxies-are-one-address",
        "src/entrypoints/chatcore_server/connections.py",
        "        if held >= self._most and address != PROXY:",
        "        if held >= self._most:",
        "tests/integration/test_serve_limits.py::test_idle_connections_of_a_trusted_proxy_are_not_capped",
    ),
    Fault(
        "limits-waiting-callers-keep-the-rank-they-came-with",
        SIGN_IN,
        "partial(self._attempts.of, key)",
        "(lambda count: lambda: count)(self._attempts.of(key))",
        f"{ACCOUNTS_TEST}::test_user_signs_in_although_the_queue_was_full_of_first_attempts_before",
    ),
    Fault(
        "limits-refusals-wait-for-their-room",
        "src/chatcore/commands/dispatch.py",
        "        if socket is None or not self.hub.has_queued(room, socket):",
        "        if socket is None:",
        "tests/unit/test_chat_limits.py::test_refused_message_waits_for_no_other_socket_and_no_store",
    ),
    Fault(
        "limits-displaced-sign-in-removes-a-later-line",
        "src/chatcore/accounts/slow_lane.py",
        "            if not line and self._lines.get(name) is line:",
        "            if not line and name in self._lines:",
        "tests/unit/test_slow_lane.py",
    ),
    Fault(
        "limits-ipv6-addresses-have-caps-of-their-own",
        "src/adapters/chatcore_socketio/caps.py",
        "        network = client_network(address)\n        full",
        "        network = str(address)\n        full",
        "tests/unit/test_connection_caps.py::test_addresses_of_one_ipv6_network_share_a_cap",
    ),
)
