"""Faults of the server program, for `table.FAULTS`: its log, hosts, start and stop."""

from .table import Fault

SOURCE = "src/entrypoints/chatcore_server"
LOG_TEXT = "tests/unit/test_log_text.py"
LOG = "tests/unit/test_server_log.py"
HOSTS = "tests/integration/test_serve_hosts.py"
PARSING = "tests/integration/test_serve_parsing.py"

FAULTS = (
    Fault(
        "log-words-read-twice",
        f"{SOURCE}/log_text.py",
        '_WORD = re.compile(r"[\\w.-]+")',
        '_WORD = re.compile(r"[\\w-]*eyJ[\\w-]+\\.[\\w-]+\\.[\\w-]+|[\\w-]{16,}\\.[0-9]+\\.[\\w-]{43}")',
        f"{LOG_TEXT}::test_masking_takes_linear_time",
    ),
    Fault(
        "log-cuts-a-token",
        f"{SOURCE}/log_text.py",
        "    head = text[: half - _word_at_start(text[:half][::-1])]",
        "    head = text[:half]",
        f"{LOG_TEXT}::test_cutting_leaves_no_part_of_a_token",
    ),
    Fault(
        "log-shows-refresh-tokens",
        f"{SOURCE}/log_text.py",
        '    return "eyJ" in first[:-1] or is_refresh',
        '    return "eyJ" in first[:-1]',
        LOG,
    ),
    Fault(
        "log-events-without-bound",
        f"{SOURCE}/log_text.py",
        "masked(bounded(text, EVENT_MAX))",
        "masked(text)",
        f"{LOG}::test_long_text_is_cut",
    ),
    Fault(
        "log-events-forge-lines",
        f"{SOURCE}/log_terminal.py",
        'printable(safe_event(str(event["event"])))',
        'safe_event(str(event["event"]))',
        f"{LOG}::test_text_of_a_client_forges_no_line",
    ),
    Fault(
        "log-exceptions-forge-lines",
        f"{SOURCE}/log_terminal.py",
        "indented(safe_traceback(exception))",
        "safe_traceback(exception)",
        f"{LOG}::test_text_of_a_client_forges_no_line",
    ),
    Fault(
        "log-json-with-escape-sequences",
        f"{SOURCE}/log.py",
        "printable_json(json.dumps(fields, ensure_ascii=False))",
        "json.dumps(fields, ensure_ascii=False)",
        f"{LOG}::test_text_of_a_client_forges_no_line",
    ),
    Fault(
        "log-libraries-each-time",
        f"{SOURCE}/log.py",
        "        return self._throttle.admits((record.pathname, record.lineno, type(error)))",
        "        return True",
        f"{LOG}::test_library_line_is_written_once_a_minute",
    ),
    Fault(
        "log-websocket-handshakes",
        f"{SOURCE}/log.py",
        '    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # no line for each handshake\n',
        "",
        f"{LOG}::test_websocket_handshake_leaves_no_line",
    ),
    Fault(
        "log-failures-each-time",
        "src/adapters/chatcore_aiohttp/guard.py",
        " and self._throttle.admits(_place(error)):",
        ":",
        "tests/integration/test_http_errors.py",
    ),
    Fault(
        "log-origins-each-time",
        "src/adapters/chatcore_aiohttp/origins.py",
        "        if self._throttle.admits(client_network(request.remote)):",
        "        if True:",
        "tests/integration/test_http_origins.py::test_refused_origin_is_logged_once_a_minute_and_address",
    ),
    Fault(
        "requests-with-an-invalid-host-name-are-logged",
        f"{SOURCE}/protocol.py",
        "        except UnicodeError:\n            self.force_close()",
        "        except KeyError:\n            self.force_close()",
        f"{PARSING}::test_request_without_an_account_leaves_at_most_one_line_a_minute",
    ),
    Fault(
        "hosts-not-checked",
        "src/adapters/chatcore_aiohttp/guard.py",
        "        if request.path not in self.any_host and (misdirected := self.hosts.refusal(request)):",
        "        if False and (misdirected := self.hosts.refusal(request)):",
        f"{HOSTS}::test_server_on_loopback_refuses_another_host_with_421",
    ),
    Fault(
        "hosts-checked-after-origins",
        "src/adapters/chatcore_aiohttp/guard.py",
        "        is_readable = self.hosts.admits(request) and not self.origins.refusal(request)",
        "        is_readable = not self.origins.refusal(request)",
        f"{HOSTS}::test_every_route_refuses_another_host_also_where_the_origin_agrees",
    ),
    Fault(
        "hosts-of-health-checks",
        f"{SOURCE}/app.py",
        "any_host=(HEALTHZ, READYZ))",
        "any_host=())",
        f"{HOSTS}::test_health_is_told_whatever_the_host",
    ),
    Fault(
        "hosts-of-the-header-before-an-absolute-target",
        "src/adapters/chatcore_aiohttp/hosts.py",
        'absolute[1].rpartition("@")[2] if absolute else hosts[0]',
        "hosts[0]",
        f"{HOSTS}::test_absolute_target_counts_before_the_host_header",
    ),
    Fault(
        "hosts-logged-each-time",
        "src/adapters/chatcore_aiohttp/hosts.py",
        "        if self._throttle.admits(None):",
        "        if True:",
        f"{HOSTS}::test_refused_host_is_logged_once_a_minute_with_the_setting",
    ),
    Fault(
        "hosts-of-origins-refused",
        f"{SOURCE}/serving.py",
        "named=[settings.host, *settings.origins.hosts])",
        "named=[settings.host])",
        f"{HOSTS}::test_hosts_of_the_origins_are_answered_on_loopback",
    ),
    Fault(
        "hosts-restricted-on-every-address",
        "src/adapters/chatcore_aiohttp/hosts.py",
        "        if not all(address.is_loopback for address in addresses):",
        "        if False:",
        "tests/unit/test_http_hosts.py::test_unset_admits_the_names_of_loopback_or_any_host",
    ),
    Fault(
        "connections-above-the-limit-stay-open",
        f"{SOURCE}/protocol.py",
        'cast("asyncio.Transport", transport).abort()',
        "pass",
        "tests/integration/test_serve_connections.py::test_one_address_holds_so_many_connections_and_no_more",
    ),
    Fault(
        "connections-above-the-limit-are-logged-each-time",
        "src/entrypoints/chatcore_server/connections.py",
        "            if self._throttle.admits(address):",
        "            if True:",
        "tests/unit/test_server_connections.py::test_refused_connections_are_logged_once_a_minute_and_address",
    ),
    Fault(
        "interrupts-show-a-traceback",
        f"{SOURCE}/console.py",
        "        signal.signal(signal.SIGINT, _end)",
        "        pass",
        "tests/integration/test_serve_interrupt.py::test_interrupt_during_imports_ends_with_130",
    ),
    Fault(
        "sighup-does-not-drain",
        f"{SOURCE}/serving.py",
        "        numbers.append(signal.SIGHUP)",
        "        pass",
        "tests/integration/test_serve_stop.py::test_it_ends_with_0_within_10_seconds_whoever_is_connected",
    ),
    Fault(
        "second-sighup-ends-at-once",
        f"{SOURCE}/serving.py",
        "signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL",
        "signal.SIG_DFL",
        "tests/integration/test_serve_stop.py::test_second_sighup_does_not_end_it_before_it_has_drained",
    ),
    Fault(
        "sighup-is-not-left-ignored",
        f"{SOURCE}/serving.py",
        "    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:",
        "    if True:",
        "tests/integration/test_serve_stop.py::test_sighup_that_is_ignored_at_the_start_stays_ignored",
    ),
)
