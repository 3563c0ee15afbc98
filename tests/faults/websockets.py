"""Faults that break what `docs/protocol.md` promises of websockets, on ASGI servers and over the plain WebSocket."""

from collections.abc import Mapping, Sequence

from .fault import Fault

PLAIN = "tests/integration/test_plain_websocket.py"
BYE = "tests/integration/test_bye_in_time.py"
SLOW = "tests/integration/test_slow_consumers.py"
STOP = "tests/integration/test_asgi_stop.py"
ASGI = "tests/integration/test_asgi_sockets.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Pushes and answers keep their order": (
        Fault(
            "asgi-sends-the-newest-text-first",
            "chatcore:OutgoingQueue.put",
            "self._texts.append(text)",
            "self._texts = deque((text, *self._texts))",
            f"{PLAIN}::test_answers_and_pushes_arrive_in_order",
        ),
    ),
    "A session that is signed out hears `bye signed_out` within a second": (
        Fault(
            "plain-websocket-without-bye",
            "chatcore_websocket:PlainConnection._write_bye",
            None,
            "pass",
            f"{BYE}::test_sign_out_ends_sockets_of_its_session_in_time",
        ),
    ),
    "`close_sockets` ends every socket of a user, each with its close code": (
        Fault(
            "asgi-end-does-not-close-the-queue",
            "chatcore_asgi:QueueWriter.end",
            "self._queue.close()",
            "pass",
            f"{BYE}::test_close_sockets_ends_all_sockets_of_a_user_in_time",
        ),
    ),
    "A socket whose access expires is closed with 1001": (
        Fault(
            "asgi-websocket-without-close-code",
            "chatcore_asgi:QueueWriter._send_all",
            "if self._code is not None:",
            "if False:",
            f"{BYE}::test_expired_access_ends_socket_in_time",
        ),
    ),
    "A client that does not connect within its time is closed with 1008": (
        Fault(
            "websocket-without-connect-stays-open",
            "chatcore_websocket:WebsocketSession.check_deadlines",
            "now >= self._connect_deadline and",
            "False and",
            f"{PLAIN}::test_client_without_connect_frame_is_closed_with_1008_at_the_deadline",
        ),
    ),
    "A frame above 64 KiB is `too_large`, and one above 1 MiB closes with 1009": (
        Fault(
            "asgi-takes-frames-above-64-kib",
            "chatcore_asgi:_take",
            "len(text) * UTF8_MAX > WHOLE_MAX",
            "False",
            f"{PLAIN}::test_frame_above_64_kib_is_answered_too_large",
        ),
        Fault(
            "asgi-takes-frames-above-1-mib",
            "chatcore_asgi:_take",
            "if len(encoded) > session.message_max:",
            "if False:",
            f"{PLAIN}::test_larger_frame_is_closed_with_1009",
        ),
    ),
    "A binary frame ends with `bye protocol`": (
        Fault(
            "asgi-ignores-binary-frames",
            "chatcore_asgi:_take",
            'session.receive(b"")',
            "pass",
            f"{PLAIN}::test_binary_frame_ends_with_bye_protocol",
        ),
    ),
    "A websocket of a page that is not admitted is 403": (
        Fault(
            "websocket-of-any-page",
            "chatcore_websocket:Websockets.answer",
            "if refusal := self.origins.refusal(request):",
            "if False and (refusal := self.origins.refusal(request)):",
            f"{PLAIN}::test_websocket_of_page_that_is_not_admitted_is_403",
        ),
        Fault(
            "asgi-refuses-websockets-without-a-response",
            "chatcore_asgi:refuse",
            '"websocket.http.response" not in',
            '"websocket.http" not in',
            f"{PLAIN}::test_websocket_at_unknown_path_is_404",
        ),
    ),
    "A slow consumer that reads again finds `bye slow` behind its messages": (
        Fault(
            "asgi-cuts-a-slow-consumer-at-once",
            "chatcore_asgi:QueueWriter.end",
            "self._cut_later()",
            "self._sending.cancel()",
            f"{SLOW}::test_cut_client_finds_bye_slow_and_1013_behind_what_it_had_not_read",
        ),
    ),
    "A websocket that has ended leaves nothing behind": (
        Fault(
            "asgi-session-outlives-its-client",
            "chatcore_asgi:AsgiUpgrade._receive_all",
            "session.connection_lost()",
            "pass",
            f"{ASGI}::test_ended_sockets_leave_no_task_and_no_count",
        ),
    ),
    "A server that stops tells clients to come back": (
        Fault(
            "cancelled-websocket-is-closed-with-1000",
            "chatcore_websocket:WebsocketSession.run",
            'self.close(Bye(code="shutdown"))',
            "pass",
            f"{STOP}::test_websocket_whose_task_the_server_cancels_ends_with_bye_shutdown_and_1001",
        ),
    ),
}
