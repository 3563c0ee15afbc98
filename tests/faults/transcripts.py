"""Faults in the Python client that the transcripts notice, and faults in both clients that the rounds notice."""

from collections.abc import Mapping, Sequence

from .fault import Fault

TRANSCRIPTS = "tests/unit/test_transcripts_python.py"
ROUNDS = "tests/integration/test_client_rounds.py"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "Clients lose no message, whatever happens to tabs, network and server": (
        Fault(
            "rounds-python-outbox-not-kept",
            "chatcore_client.engine:Engine.send",
            "self._store.put(item)",
            "pass",
            ROUNDS,
        ),
        Fault(
            "rounds-javascript-outbox-forgotten",
            "chatcore_web/chatcore-client/core.js:core.restore",
            "of items",
            "of items.slice(0, 0)",
            ROUNDS,
        ),
    ),
    "The Python client loses no message that is sent": (
        Fault(
            "transcripts-temporary-error-is-final",
            "chatcore.replica.command_queues:CommandQueues.answered",
            ' and answer["error"]["temporary"]',
            " and False",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-dead-connection-kept",
            "chatcore_client.connection:Link.send",
            "self.give_up",
            "lambda: None",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-message-not-sent-again",
            "chatcore.replica.command_queues:CommandQueues.disconnected",
            "command.sent = False",
            "pass",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-failed-message-kept-without-error",
            "chatcore.replica.outgoing:Outgoing.kept",
            '{**item, "error": self.error} if self.error else item',
            "item",
            TRANSCRIPTS,
        ),
    ),
    "The Python client doubles no message": (
        Fault(
            "transcripts-answered-message-stays-in-store",
            "chatcore.replica.client_state:ClientState._delivered",
            "Drop(message.key), ",
            "",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-entry-of-sent-message-not-matched",
            "chatcore.replica.client_state:ClientState._take_entries",
            'entry["author"] == message.user',
            "False",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-message-matched-by-key-alone",
            "chatcore.replica.client_state:ClientState._take_entries",
            ' and entry["author"] == message.user',
            "",
            TRANSCRIPTS,
        ),
    ),
    "The Python client shows and sends all in order": (
        Fault(
            "transcripts-missed-entries-not-taken",
            "chatcore.replica.rooms:Rooms._room_synced",
            'synced.get("entries", ())',
            "()",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-pushes-before-sync-applied",
            "chatcore.replica.rooms:Rooms.pushed",
            'body["room"] in self._stale',
            "False",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-message-overtakes-another",
            "chatcore.replica.command_queues:CommandQueues._candidates",
            "yield next(iter(queue.commands.values()))",
            "yield from queue.commands.values()",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-closed-rooms-are-paged",
            "chatcore.replica.floors:OpenRooms.of",
            "return None",
            "return 1",
            TRANSCRIPTS,
        ),
    ),
    "The Python client sends a user's messages as that user alone": (
        Fault(
            "transcripts-messages-of-other-user-sent",
            "chatcore.replica.client_state:ClientState._become",
            "message.user == user",
            "True",
            TRANSCRIPTS,
        ),
    ),
    "The Python client does not flood a server": (
        Fault(
            "transcripts-refused-token-tried-at-once",
            "chatcore_client.engine:Engine._run",
            "was_refused or not is_refused",
            "not is_refused",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-retry-after-of-bye-ignored",
            "chatcore_client.engine:Engine._pause",
            "max(pause_s * self._transport.pause_factor(), least_s)",
            "pause_s * self._transport.pause_factor()",
            TRANSCRIPTS,
        ),
        Fault(
            "transcripts-large-message-repeated-for-ever",
            "chatcore.replica.command_queues:CommandQueues.disconnected",
            "too_large and sent",
            "False",
            TRANSCRIPTS,
        ),
        Fault("transcripts-marks-not-joined", "chatcore.replica.marks:ReadMark.due", " or self._sent", "", TRANSCRIPTS),
        Fault(
            "transcripts-typing-said-with-every-key",
            "chatcore.replica.typing:OwnTyping.says",
            "self._is_on and self._rests",
            "False",
            TRANSCRIPTS,
        ),
    ),
    "The Python client stops when the server tells it to": (
        Fault(
            "transcripts-final-bye-ignored",
            "chatcore_client.engine:Engine.broken",
            'end.bye is not None and not end.bye.get("resumable")',
            "False",
            TRANSCRIPTS,
        ),
    ),
    "The Python client watches on after a break": (
        Fault(
            "transcripts-presence-not-asked-again",
            "chatcore.replica.client_state:ClientState._watch_again",
            "self._watched and self._online",
            "False",
            TRANSCRIPTS,
        ),
    ),
}
