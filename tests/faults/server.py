"""Faults of the server program, for `table.FAULTS`: its log, hosts, start and stop."""

from .table import Fault

SOURCE = "src/entrypoints/chatcore_server"
LOG_TEXT = "tests/unit/test_log_text.py"
LOG = "tests/unit/test_server_log.py"
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
        f"{SOURCE}/log.py",
        'masked(bounded(str(event["event"]), EVENT_MAX))',
        'masked(str(event["event"]))',
        f"{LOG}::test_long_text_is_cut",
    ),
    Fault(
        "log-events-forge-lines",
        f"{SOURCE}/log.py",
        '    event["event"] = printable(event["event"])',
        "    pass",
        f"{LOG}::test_text_of_a_client_forges_no_line",
    ),
    Fault(
        "log-exceptions-forge-lines",
        f"{SOURCE}/log.py",
        '        event["exception"] = indented(exception)',
        "        pass",
        f"{LOG}::test_text_of_a_client_forges_no_line",
    ),
    Fault(
        "log-json-with-escape-sequences",
        f"{SOURCE}/log.py",
        "        return printable_json(super().format(record))",
        "        return super().format(record)",
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
        "        if self._throttle.admits(request.remote):",
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
)
