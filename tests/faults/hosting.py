"""Faults that break what a host is promised, by the sections of `docs/embedding.md`."""

from collections.abc import Mapping, Sequence

from .fault import Fault

AUTHENTICATION = "tests/unit/test_authentication.py"
GATE = "tests/unit/test_gate.py"
TRUSTED = "tests/unit/test_trusted.py"
PEOPLE = "tests/unit/test_people.py"
BLOCKING = "tests/unit/test_blocking.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    # Who a client is.
    "`authenticate` has 2 s": (
        Fault(
            "authenticate-without-a-deadline",
            "chatcore:Authentication.principal",
            "anyio.move_on_after(AUTHENTICATE_S)",
            "anyio.move_on_after(9)",
            f"{AUTHENTICATION}::test_fault_of_authenticate_is_unavailable_and_logged_once",
        ),
    ),
    "An exception of `authenticate` is `unavailable`": (
        Fault(
            "exception-of-authenticate-is-unauthenticated",
            "chatcore:Authentication.principal",
            "self._log_exception(error)",
            "raise Unauthenticated from None",
            f"{AUTHENTICATION}::test_fault_of_authenticate_is_unavailable_and_logged_once",
        ),
    ),
    "Principals and host calls use the canonical user": (
        Fault(
            "connect-with-the-spelling-of-the-host",
            "chatcore:Chat.connect",
            "user = self.canonical(user)",
            "self.canonical(user)",
            f"{AUTHENTICATION}::test_host_calls_use_the_canonical_user",
        ),
    ),
    "A lazy object is no user": (
        Fault(
            "lazy-object-taken-for-a-user",
            "chatcore.ports:check_user_type",
            "issubclass(type(user), str)",
            "isinstance(user, str)",
            f"{AUTHENTICATION}::test_user_that_is_no_str_is_a_type_error_that_says_str_user_id",
        ),
    ),
    # The gate.
    "The gate is asked about commands of sockets and of HTTP, not about those of the host": (
        Fault(
            "gate-not-asked-over-http",
            "chatcore:Chat.request",
            '"http"',
            "None",
            f"{GATE}::test_gate_is_asked_about_each_command_of_clients_that_appends",
        ),
        Fault(
            "gate-asked-about-commands-of-the-host",
            "chatcore:Chat.execute",
            "None, trusted=trusted",
            '"http", trusted=trusted',
            f"{GATE}::test_gate_is_asked_about_each_command_of_clients_that_appends",
        ),
    ),
    "A retry whose key stands gets its first answer whatever the gate says": (
        Fault(
            "refusal-of-the-gate-before-the-key-is-read",
            "chatcore.commands:CommandDispatcher.submit_checked",
            "self.submit(user, command, reply, socket, checked=Checked(deadline, refusal))",
            "if refusal:\n    reply(refusal)\nelse:\n    self.submit(user, command, reply, socket)",
            f"{GATE}::test_retry_of_a_used_key_gets_the_first_answer_for_any_gate",
        ),
        Fault(
            "digest-of-the-rewritten-command",
            "chatcore.commands:_rewritten",
            "return answer.with_digest_of(command)",
            "return answer",
            f"{GATE}::test_1000_retries_across_a_rewriting_gate_are_duplicates",
        ),
    ),
    "A gate may change body, data and title alone": (
        Fault(
            "gate-may-send-to-another-room",
            "chatcore.commands:_rewritten",
            "name not in REWRITABLE",
            'name not in REWRITABLE and name != "to"',
            f"{GATE}::test_faulty_gate_is_unavailable_and_logged_once",
        ),
    ),
    "A gate has its seconds, and they count for the command's deadline": (
        Fault(
            "gate-without-a-deadline",
            "chatcore.live:TimeLimit._expire",
            "limited.task.cancel()",
            "pass",
            f"{GATE}::test_faulty_gate_is_unavailable_and_logged_once",
        ),
        Fault(
            "deadline-begins-after-the-gate",
            "chatcore.commands:CommandDispatcher.submit_checked",
            "Checked(deadline, refusal)",
            "Checked(current_time() + COMMAND_S, refusal)",
            f"{GATE}::test_time_of_the_gate_counts_for_the_deadline_of_the_command",
        ),
    ),
    "A stranger does not get the host's refusal": (
        Fault(
            "refusal-of-the-host-before-the-rights",
            "chatcore.live:LiveRoom._decide",
            "if pending.refusal and isinstance(outcome, Entry):",
            "if pending.refusal:",
            f"{GATE}::test_refusal_of_the_gate_is_hidden_from_a_user_that_is_not_a_member",
        ),
    ),
    "Limits are asked before the gate": (
        Fault(
            "gate-asked-above-the-limits",
            "chatcore.commands:CommandDispatcher.submit_checked",
            "if self.limits and (limit := self.limits.refusal(user, command)):",
            "if False and (limit := self.limits.refusal(user, command)):",
            f"{GATE}::test_command_above_the_limits_is_refused_before_the_gate_is_asked",
        ),
    ),
    # The rules.
    "`may_write` is asked about edits and reactions too": (
        Fault(
            "reaction-passes-may-write",
            "chatcore.commands:HostChecks._refusal_of_rules",
            "SendMessage | EditMessage | React",
            "SendMessage | EditMessage",
            f"{GATE}::test_rules_are_asked_about_every_command_but_trusted_ones",
        ),
    ),
    "A rule has 2 s, and its faults are `unavailable`": (
        Fault(
            "faulty-rule-lets-pass",
            "chatcore.commands:HostChecks._refusal_of",
            "return Unavailable(UNCHECKED)",
            "return None",
            f"{GATE}::test_faulty_rule_is_unavailable_after_2_s_at_most",
        ),
    ),
    # Trusted commands.
    "A banned user stays out of a trusted command's room": (
        Fault(
            "banned-user-trusted",
            "chatcore.domain:refusal",
            ' and user_rank != "banned"',
            "",
            f"{TRUSTED}::test_trusted_command_is_refused_for_reasons_other_than_rights",
        ),
        Fault(
            "banned-user-added",
            "chatcore.commands:AddMember.event",
            'member.state == "banned"',
            "False",
            f"{TRUSTED}::test_trusted_command_is_refused_for_reasons_other_than_rights",
        ),
    ),
    "A private room keeps its two users": (
        Fault(
            "trusted-stranger-in-a-private-room",
            "chatcore.domain:refusal",
            'kind in ("group", "public")',
            "kind",
            f"{TRUSTED}::test_trusted_command_is_refused_for_reasons_other_than_rights",
        ),
    ),
    "The last owner stays": (
        Fault(
            "last-owner-removed",
            "chatcore.commands:_refusal",
            "state.is_last_owner(other)",
            "False",
            f"{TRUSTED}::test_trusted_command_is_refused_for_reasons_other_than_rights",
        ),
    ),
    # People and sockets.
    "Profiles are of users with a common room or invitation": (
        Fault(
            "profiles-of-strangers",
            "chatcore.commands:Profiles.handle",
            "if user in shown or user == context.user",
            "",
            f"{PEOPLE}::test_profiles_are_of_users_with_a_common_room_or_invitation",
        ),
        Fault(
            "stranger-in-the-answer-of-a-directory",
            "chatcore.live:HostCallback._checked",
            "{user: answer[user] for user in users if user in answer}",
            "dict(answer)",
            f"{PEOPLE}::test_strangers_in_the_answer_of_a_directory_are_ignored",
        ),
    ),
    "A directory that returns something else is `unavailable`, and the log says what to do": (
        Fault(
            "answer-of-a-directory-that-is-no-mapping",
            "chatcore.live:HostCallback._checked",
            "isinstance(answer, Mapping)",
            "True",
            f"{PEOPLE}::test_fault_of_a_directory_is_unavailable_and_logged_once",
        ),
    ),
    "Profiles that do not fit into an answer are named": (
        Fault(
            "profiles-above-the-size-of-an-answer",
            "chatcore.commands:Profiles.handle",
            "if budget.has(_size(user, profile))",
            "",
            f"{PEOPLE}::test_profiles_that_do_not_fit_are_named_and_asked_for_again",
        ),
    ),
    "Muted rooms are not in the unread total": (
        Fault(
            "muted-rooms-in-the-unread-total",
            "chatcore.ports:LogStore.unread_total",
            "if view.marker and not view.marker.muted",
            "if view.marker",
            f"{PEOPLE}::test_unread_counts_all_rooms_but_muted_ones",
        ),
    ),
    "`close_sockets` ends the sockets of all nodes": (
        Fault(
            "sockets-of-other-nodes-stay-open",
            "chatcore:Sockets.close_all",
            'await self._end(await self.of_user(user), "signed_out")',
            "pass",
            f"{PEOPLE}::test_close_sockets_ends_every_socket_of_a_user_on_all_nodes",
        ),
    ),
    "A host ends sessions also while its `canonical` fails": (
        Fault(
            "session-outlives-a-failing-canonical",
            "chatcore:Chat.close_session",
            "self._canonical_or_given(user)",
            "self.canonical(user)",
            f"{PEOPLE}::test_sockets_are_closed_also_while_canonical_fails",
        ),
    ),
    # Hosts that do not await.
    "A call in a forked process does not hang": (
        Fault(
            "call-of-a-forked-process",
            "chatcore:Blocking._call",
            "self._process != os.getpid()",
            "False",
            f"{BLOCKING}::test_call_in_a_forked_process_is_refused_and_does_not_hang",
        ),
    ),
}
