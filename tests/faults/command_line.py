"""Faults in the command line: its settings and the commands of a client."""

from collections.abc import Mapping, Sequence

from .fault import Fault

CLI = "tests/unit/test_server_cli.py::"
LOGIN = "tests/integration/test_login.py::"
CHAT = "tests/integration/test_terminal_chat.py::"
CONFIG = "tests/unit/test_server_config.py::"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "A flag precedes the environment, then come .env and chatcore.toml": (
        Fault(
            "toml-precedes-dotenv",
            "chatcore_server:create_app",
            "config=[_dotenv, _toml,",
            "config=[_toml, _dotenv,",
            f"{CLI}test_flag_precedes_environment_and_then_come_dotenv_and_toml[PORT]",
        ),
        Fault(
            "unknown-key-of-toml-ignored",
            "chatcore_server:read_toml",
            "for key, value in table.items()",
            "for key, value in table.items() if key in get_type_hints(Settings)",
            "tests/unit/test_server_toml.py::test_wrong_file_is_refused_in_one_line_that_names_key_and_remedy",
        ),
    ),
    "chatcore config shows what is in force, with secrets masked": (
        Fault(
            "password-of-store-shown",
            "chatcore_server:_shown",
            'masked_address(str(value)) if name == "store" else str(value)',
            "str(value)",
            f"{CONFIG}test_secret_and_password_of_the_store_are_never_shown[form0]",
        ),
        Fault(
            "source-of-dotenv-is-default",
            "chatcore_server:_note_sources",
            "if argument.tokens:",
            'if argument.tokens and argument.tokens[-1].source != ".env":',
            f"{CONFIG}test_every_source_of_a_value_is_named",
        ),
    ),
    "The session is for its owner only, and processes share it": (
        Fault(
            "session-readable-for-the-group",
            "chatcore_terminal:_write",
            "os.fchmod(file, 0o600)",
            "os.fchmod(file, 0o640)",
            f"{LOGIN}test_session_is_kept_for_its_owner_only_and_without_the_password",
        ),
        Fault(
            "session-refreshed-by-each-process",
            "chatcore_terminal:SessionFile.token",
            "if session == found:",
            "if session:",
            f"{LOGIN}test_refused_token_is_refreshed_once_however_many_ask",
        ),
        Fault(
            "session-written-in-place",
            "chatcore_terminal:SessionFile.write",
            "_write(draft,",
            "self.path.unlink(missing_ok=True) or _write(self.path,",
            f"{LOGIN}test_process_killed_while_it_writes_leaves_a_whole_session",
        ),
        Fault(
            "password-follows-a-redirect",
            "chatcore_terminal:_request",
            "allow_redirects=False",
            "allow_redirects=True",
            f"{LOGIN}test_password_does_not_follow_a_redirect",
        ),
    ),
    "A password is sent to the server that was named": (
        Fault(
            "password-of-the-client-follows-a-redirect",
            "chatcore_client:Accounts._request",
            "allow_redirects=False",
            "allow_redirects=True",
            f"{LOGIN}test_password_does_not_follow_a_redirect",
        ),
    ),
    "send loses nothing, and tail shows each entry once": (
        Fault(
            "send-without-an-outbox",
            "chatcore_terminal.sending:send",
            "connected(session, store)",
            "connected(session)",
            f"{CHAT}test_messages_without_a_server_are_kept_and_sent_once_in_order",
        ),
        Fault(
            "refused-message-stays-in-the-outbox",
            "chatcore_terminal:Reports.report",
            "message.discard()",
            "pass",
            f"{CHAT}test_refused_message_is_named_and_leaves_the_outbox",
        ),
        Fault(
            "tail-shows-the-last-entry-again",
            "chatcore_terminal:_catch_up",
            'if entry["seq"] > cursor.seq:',
            'if entry["seq"] >= cursor.seq:',
            f"{CHAT}test_tail_shows_history_news_and_changes_of_a_room",
        ),
    ),
    "Text of others does not control the terminal": (
        Fault(
            "bidirectional-overrides-shown",
            "chatcore_terminal:_ESCAPED",
            '"Cf", ',
            "",
            "tests/unit/test_terminal_display.py::test_text_can_not_control_the_terminal",
        ),
    ),
}
