"""Faults that break the promises of "In a web application" in `docs/embedding.md`."""

from collections.abc import Mapping, Sequence

from .fault import Fault

MOUNT = "tests/integration/test_mount.py"
ASGI = "tests/integration/test_asgi.py"
COOKIES = "tests/integration/test_http_cookies.py"
PLAIN = "tests/integration/test_plain_websocket.py"
FRAMEWORKS = "tests/integration/test_http_frameworks.py"
RIGHTS = "tests/integration/test_rights_matrix.py"
ERRORS = "tests/integration/test_error_codes.py"
CONVERSATION = "tests/integration/test_conversation.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Names with slashes and braces work at any depth and under a root path": (
        Fault(
            "mount-decodes-the-path",
            "chatcore_aiohttp:_path_below",
            "request.rel_url.raw_path.split",
            "request.path.split",
            f"{MOUNT}::test_several_mounts_serve_one_chat_at_any_depth",
        ),
        Fault(
            "chat-app-decodes-the-path",
            "chatcore_asgi:_raw_path",
            'scope.get("raw_path")',
            "None",
            f"{FRAMEWORKS}::test_user_name_in_path_may_hold_anything",
        ),
        Fault(
            "chat-app-overlooks-the-root-path",
            "chatcore_asgi:_rest",
            'root: str = scope.get("root_path", "")',
            'root = ""',
            f"{FRAMEWORKS}::test_path_that_is_not_served_is_404_and_method_405",
        ),
        Fault(
            "chat-app-counts-empty-parts",
            "chatcore_asgi:_parts",
            "if part",
            "",
            f"{FRAMEWORKS}::test_user_name_in_path_may_hold_anything",
        ),
    ),
    "The application enters the Chat, or says what is missing": (
        Fault(
            "mount-enters-an-entered-chat",
            "chatcore_aiohttp:mount",
            "if chat.is_entered:",
            "if False:",
            f"{MOUNT}::test_chat_that_the_host_has_entered_stays_entered_after_the_application",
        ),
        Fault(
            "chat-app-does-not-run-the-other-lifespan",
            "chatcore_asgi:ChatApp.__call__",
            "[] if self._other is None else [running(self._other, scope)]",
            "[]",
            f"{ASGI}::test_lifespan_of_the_other_application_runs_and_may_enter_the_chat",
        ),
        Fault(
            "chat-that-was-not-entered-is-internal",
            "chatcore_asgi:ChatApp._response",
            "if not self._chat.is_entered:",
            "if False:",
            f"{ASGI}::test_chat_that_was_not_entered_is_unavailable_and_the_log_has_the_missing_line",
        ),
    ),
    "A page of another site cannot act by a user's cookie": (
        Fault(
            "simple-requests-by-cookie-are-carried-out",
            "chatcore_http:authenticated",
            "if shown.token is None and _may_be_forged(request):",
            "if False:",
            f"{COOKIES}::test_unsafe_request_without_origin_and_json_type_does_nothing",
        ),
        Fault(
            "cookie-answers-for-a-refreshed-token",
            "chatcore_websocket.handler:Handler._refreshed_by_handshake",
            "if token is not None:",
            "if False:",
            f"{PLAIN}::test_refresh_without_token_asks_again_with_the_cookies_of_the_handshake",
        ),
        Fault(
            "cookie-extends-the-access-of-a-token",
            "chatcore_websocket.handler:Handler._refreshed_by_token",
            "if token is None:",
            "if False:",
            f"{PLAIN}::test_refresh_without_token_is_invalid_on_socket_opened_with_one",
        ),
        Fault(
            "one-of-two-cookies-counts",
            "chatcore_http:parse_cookies",
            "del values[name]",
            "pass",
            f"{COOKIES}::test_cookie_counts_only_if_it_is_clear",
        ),
        Fault(
            "cookie-counts-beside-two-authorization-headers",
            "chatcore_http:_bearer",
            "if len(headers) > 1:",
            "if False:",
            f"{COOKIES}::test_several_authorization_headers_are_refused_beside_a_cookie",
        ),
        Fault(
            "credentials-for-every-admitted-origin",
            "chatcore_http:Origins.headers",
            "if self.credentials and normalised(origin) in self.allowed:",
            "if self.credentials:",
            f"{COOKIES}::test_listed_origin_may_send_cookies_and_own_origin_needs_no_leave",
        ),
    ),
    "Only the host says who is behind a proxy": (
        Fault(
            "mount-ignores-remote",
            "chatcore_aiohttp:mount",
            "remote=remote(request)",
            "remote=request.remote",
            f"{MOUNT}::test_remote_of_the_host_is_the_address_of_the_client_and_headers_are_not",
        ),
        Fault(
            "chat-app-ignores-remote",
            "chatcore_asgi:ChatApp._response",
            "remote=self._remote(scope)",
            "remote=client_address(scope)",
            f"{ASGI}::test_remote_of_the_host_is_the_address_of_the_client",
        ),
    ),
    "Wrong use raises one line that says what to do": (
        Fault(
            "second-mount-at-a-prefix",
            "chatcore_aiohttp:mount",
            "if any(resource.canonical",
            "if False and any(resource.canonical",
            f"{MOUNT}::test_second_mount_at_a_prefix_is_refused",
        ),
        Fault(
            "mount-after-the-start",
            "chatcore_aiohttp:mount",
            "if app.frozen or app.router.frozen:",
            "if False:",
            f"{MOUNT}::test_mount_in_a_started_application_is_refused_with_what_to_do",
        ),
        Fault(
            "refusal-of-an-origin-names-the-servers-setting",
            "chatcore_http:Origins.refusal",
            "{self.setting or ARGUMENT}",
            "{SETTING}",
            f"{COOKIES}::test_refusal_of_origin_names_the_argument_of_the_host",
        ),
        Fault(
            "refusal-of-an-origin-in-the-server-names-an-argument",
            "chatcore_server:Settings",
            "field(factory=partial(Origins.parse, None))",
            "field(factory=Origins)",
            "tests/unit/test_server_settings.py::test_refusal_of_an_origin_names_the_setting_that_is_unset",
        ),
        Fault(
            "body-that-a-middleware-has-read-is-empty",
            "chatcore_aiohttp:_receiver",
            "return await request.read()",
            'return b""',
            f"{MOUNT}::test_body_that_a_middleware_of_the_host_has_read_is_read_again",
        ),
    ),
    "Rights, errors and clients are the same on every host": (
        Fault(
            "plain-websocket-on-asgi-asks-no-rights",
            "chatcore:Socket.receive",
            "self._dispatcher.submit(self.info.user, command, reply, self._live)",
            "connection = getattr(self._live.connection, '_connection')\n"
            "writer = getattr(connection, '_writer')\n"
            "trusted = 'PlainConnection' in str(type(connection)) and 'chatcore_asgi' in str(type(writer))\n"
            "self._dispatcher.submit(self.info.user, command, reply, self._live, trusted=trusted)",
            f"{RIGHTS}::test_every_user_gets_answer_of_table_over_socket[websocket-room.role admin member-fastapi]",
        ),
        Fault(
            "chat-app-overlooks-bodies",
            "chatcore_asgi:pure_request",
            'has_body=not is_http_1 or "Content-Length" in headers or "Transfer-Encoding" in headers',
            "has_body=not is_http_1",
            f"{ERRORS}::test_error_over_http_has_status_and_code_of_contract[invalid-django]",
        ),
        Fault(
            "chat-app-keeps-large-frames-whole",
            "chatcore_asgi:_take",
            'text = TruncatedText(encoded[:START_MAX].decode(errors="ignore"))',
            "pass",
            f"{ERRORS}::test_error_over_socket_has_code_of_contract_and_socket_stays_open[websocket-too_large-django]",
        ),
        Fault(
            "chat-app-without-polling-handshake",
            "chatcore_asgi:ChatApp._response",
            "if sockets is not None:",
            "if sockets is not None and (upgrade or path == WEBSOCKET):",
            f"{CONVERSATION}::test_two_users_chat_on_two_devices_each_across_restart[fastapi-python]",
        ),
    ),
}
