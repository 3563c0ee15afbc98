"""The faults of the chat programs and of the server's page, for `table.FAULTS`."""

from .table import Fault

PROGRAMS = "tests/integration/test_chat_programs.py"
CROWD = "tests/integration/test_chat_crowd.py::test_100_clients_that_must_sign_in_obey_retry_after_and_lose_nothing"
PAGE = "tests/integration/test_page.py"

FAULTS = (
    Fault(
        "javascript-program-drops-entries-before-the-answer-of-sync",
        "examples/chat.mjs",
        '  onEach("entry", take);',
        '  socket.on("entry", (entry) => online && take(entry));',
        f"{PROGRAMS}::test_first_message_of_a_new_room_is_shown[javascript]",
    ),
    Fault(
        "javascript-program-gives-up-after-a-temporary-refusal",
        "examples/chat.mjs",
        "else if (answer.temporary) {",
        "else if (false) {",
        f"{PROGRAMS}::test_refused_sign_in_is_repeated_after_retry_after[javascript]",
    ),
    Fault(
        "javascript-program-ignores-retry-after",
        "examples/chat.mjs",
        "Number(answer.retry_after) || wait_s",
        "wait_s",
        CROWD,
    ),
    Fault(
        "python-program-ignores-retry-after",
        "examples/chat.py",
        'answer["retry_after"] or wait)',
        "wait)",
        CROWD,
    ),
    Fault(
        "javascript-program-sends-a-message-that-is-too-big-again",
        "examples/chat.mjs",
        "closeCode === MESSAGE_TOO_BIG",
        "false",
        f"{PROGRAMS}::test_message_that_ends_the_connection_holds_up_no_other[javascript]",
    ),
    Fault(
        "python-program-drops-entries-before-the-answer-of-sync",
        "examples/chat.py",
        '            self.client.on("*", lambda event, body: arrived.put_nowait((event, body)))',
        '            self.client.on("*", lambda event, body: self.online and arrived.put_nowait((event, body)))\n'
        '            self.client.on("ready", lambda body: arrived.put_nowait(("ready", body)))',
        f"{PROGRAMS}::test_first_message_of_a_new_room_is_shown[python]",
    ),
    Fault(
        "python-program-signs-in-with-the-password-each-time",
        "examples/chat.py",
        '"/sessions/refresh" if self.session else',
        '"/sessions/refresh" if False else',
        f"{PROGRAMS}::test_reconnect_after_a_restart_needs_no_password[python]",
    ),
    Fault(
        "python-program-leaves-a-gap",
        "examples/chat.py",
        '"history", {"room": room, "anchor": anchor, "after": 200}',
        '"history", {"room": room, "anchor": "newest", "before": 200}',
        f"{PROGRAMS}::test_gap_above_200_entries_is_shown_in_order[python]",
    ),
    Fault(
        "page-forgets-the-path-prefix",
        "src/entrypoints/chatcore_server/page.html",
        'new URL(".", location).href',
        "location.origin",
        f"{PAGE}::test_steps_of_the_page_work_behind_a_path_prefix",
    ),
    Fault(
        "page-shows-no-first-message",
        "src/entrypoints/chatcore_server/page.html",
        "  for (const { last } of rooms) show(last);\n",
        "",
        f"{PAGE}::test_steps_of_the_page_work_as_printed",
    ),
)
