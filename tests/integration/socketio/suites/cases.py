"""The cases of the official suites by name, and where this server differs by design.

Sources: ``test-suite/test-suite.js`` of socketio/engine.io-protocol (version 4) and of socketio/socket.io-protocol
(version 5).
"""

import re
from collections.abc import Mapping, Sequence

Suite = Mapping[str, Sequence[str]]
"""The names of cases by group."""

ENGINE_IO: Suite = {
    "handshake, HTTP long-polling": (
        "successfully opens a session",
        "fails with an invalid 'EIO' query parameter",
        "fails with an invalid 'transport' query parameter",
        "fails with an invalid request method",
    ),
    "handshake, WebSocket": (
        "successfully opens a session",
        "fails with an invalid 'EIO' query parameter",
        "fails with an invalid 'transport' query parameter",
    ),
    "message, HTTP long-polling": (
        "sends and receives a payload containing one plain text packet",
        "sends and receives a payload containing several plain text packets",
        "sends and receives a payload containing plain text and binary packets",
        "closes the session upon invalid packet format",
        "closes the session upon duplicate poll requests",
    ),
    "message, WebSocket": (
        "sends and receives a plain text packet",
        "sends and receives a binary packet",
        "closes the session upon invalid packet format",
    ),
    "heartbeat, HTTP long-polling": (
        "sends ping/pong packets",
        "closes the session upon ping timeout",
    ),
    "heartbeat, WebSocket": (
        "sends ping/pong packets",
        "closes the session upon ping timeout",
    ),
    "close, HTTP long-polling": ("forcefully closes the session",),
    "close, WebSocket": ("forcefully closes the session",),
    "upgrade": (
        "successfully upgrades from HTTP long-polling to WebSocket",
        "ignores HTTP requests with same sid after upgrade",
        "ignores WebSocket connection with same sid after upgrade",
    ),
}

SOCKET_IO: Suite = {
    "Engine.IO handshake, HTTP long-polling": (
        "should successfully open a session",
        "should fail with an invalid 'EIO' query parameter",
        "should fail with an invalid 'transport' query parameter",
        "should fail with an invalid request method",
    ),
    "Engine.IO handshake, WebSocket": (
        "should successfully open a session",
        "should fail with an invalid 'EIO' query parameter",
        "should fail with an invalid 'transport' query parameter",
    ),
    "Engine.IO heartbeat, HTTP long-polling": (
        "should send ping/pong packets",
        "should close the session upon ping timeout",
    ),
    "Engine.IO heartbeat, WebSocket": (
        "should send ping/pong packets",
        "should close the session upon ping timeout",
    ),
    "Engine.IO close, HTTP long-polling": ("should forcefully close the session",),
    "Engine.IO close, WebSocket": ("should forcefully close the session",),
    "Engine.IO upgrade": (
        "should successfully upgrade from HTTP long-polling to WebSocket",
        "should ignore HTTP requests with same sid after upgrade",
        "should ignore WebSocket connection with same sid after upgrade",
    ),
    "connect": (
        "should allow connection to the main namespace",
        "should allow connection to the main namespace with a payload",
        "should allow connection to a custom namespace",
        "should allow connection to a custom namespace with a payload",
        "should disallow connection to an unknown namespace",
        "should disallow connection with an invalid handshake",
        "should close the connection if no handshake is received",
    ),
    "disconnect": (
        "should disconnect from the main namespace",
        "should connect then disconnect from a custom namespace",
    ),
    "message": (
        "should send a plain-text packet",
        "should send a packet with binary attachments",
        "should send a plain-text packet with an ack",
        "should send a packet with binary attachments and an ack",
        "should close the connection upon invalid format (unknown packet type)",
        "should close the connection upon invalid format (invalid payload format)",
        "should close the connection upon invalid format (invalid ack id)",
    ),
}

MAX_PAYLOAD = "`maxPayload` is the server's own setting: 65,536 bytes here, 1,000,000 in the suite's example server."
METHOD = "Another method than GET and POST is answered 405 with `Allow` (RFC 9110, 15.5.6); the suite asks for 400."
POLLING = "Long polling carries the handshake and CONNECT only: no messages, and no heartbeat."
BINARY = "Binary packets end the connection with `bye protocol`."
NAMESPACE = "There is one namespace: another one is answered with CONNECT_ERROR, in the words of this server."
DISCONNECT = "There is one namespace: the server closes the websocket of a client that has left it."
ONE_OBJECT = "An event carries one object; the suite sends three arguments."

BY_DESIGN: Mapping[tuple[str, str], str] = {
    ("handshake, HTTP long-polling", "successfully opens a session"): MAX_PAYLOAD,
    ("handshake, HTTP long-polling", "fails with an invalid request method"): METHOD,
    ("handshake, WebSocket", "successfully opens a session"): MAX_PAYLOAD,
    ("message, HTTP long-polling", "sends and receives a payload containing one plain text packet"): POLLING,
    ("message, HTTP long-polling", "sends and receives a payload containing several plain text packets"): POLLING,
    ("message, HTTP long-polling", "sends and receives a payload containing plain text and binary packets"): POLLING,
    ("message, WebSocket", "sends and receives a binary packet"): BINARY,
    ("heartbeat, HTTP long-polling", "sends ping/pong packets"): POLLING,
    ("Engine.IO handshake, HTTP long-polling", "should successfully open a session"): MAX_PAYLOAD,
    ("Engine.IO handshake, HTTP long-polling", "should fail with an invalid request method"): METHOD,
    ("Engine.IO handshake, WebSocket", "should successfully open a session"): MAX_PAYLOAD,
    ("Engine.IO heartbeat, HTTP long-polling", "should send ping/pong packets"): POLLING,
    ("connect", "should allow connection to a custom namespace"): NAMESPACE,
    ("connect", "should allow connection to a custom namespace with a payload"): NAMESPACE,
    ("connect", "should disallow connection to an unknown namespace"): NAMESPACE,
    ("disconnect", "should disconnect from the main namespace"): DISCONNECT,
    ("disconnect", "should connect then disconnect from a custom namespace"): NAMESPACE,
    ("message", "should send a plain-text packet"): ONE_OBJECT,
    ("message", "should send a packet with binary attachments"): BINARY,
    ("message", "should send a plain-text packet with an ack"): ONE_OBJECT,
    ("message", "should send a packet with binary attachments and an ack"): BINARY,
}
"""The cases that test this server against its own contract (``docs/protocol.md``) instead, with the reason."""


def expected_tests(suite: Suite) -> set[tuple[str, str]]:
    """Return the names of the class and the method of each case of a suite."""
    return {(_class_of(group), _method_of(case)) for group, cases in suite.items() for case in cases}


def _class_of(group: str) -> str:
    return "Test" + "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", group))


def _method_of(case: str) -> str:
    return "_".join(["test", *re.findall(r"\w+", case.lower())])
