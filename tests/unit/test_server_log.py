"""The log shows no token and no local variable, for any logger."""

import io
import json
import logging
from collections.abc import Callable, Generator

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from chatcore.accounts import Session
from chatcore_security import JwtTokens
from chatcore_server import log

PASSWORD = "correct horse battery"


class Stream(io.StringIO):
    """The stream of the log, which is a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def configured() -> Generator[Callable[[bool], Stream]]:
    """Return a function that configures the log of a server, on a terminal or not."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def configure(terminal: bool) -> Stream:
        stream = Stream(terminal)
        log.configure(stream)
        return stream

    yield configure
    root.handlers[:], root.level = before
    logging.captureWarnings(False)


def fail(password: str, token: str) -> None:
    raise ValueError(f"{token} is no token")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_log_of_an_exception_has_no_token_and_no_local_variable(
    kind: str, terminal: bool, configured: Callable[[bool], Stream]
) -> None:
    stream = configured(terminal)
    tokens = JwtTokens(b"a secret of the tests, of 32 bytes or more")
    session = Session(id="m2Hn0Jb5oM3PZ0bq3cS9_w", user="alice", device="phone", generation=1)
    token = tokens.issue_access(session)[0] if kind == "access" else tokens.issue_refresh(session.id, 1)
    try:
        fail(PASSWORD, token)
    except ValueError:
        logging.getLogger("any.logger").exception("it failed with %s", token)
    written = stream.getvalue()
    assert "[token] is no token" in written
    assert "it failed with [token]" in written
    assert token not in written
    assert token.rpartition(".")[2] not in written
    assert PASSWORD not in written


def test_log_line_for_machines_is_one_object_with_the_traceback(configured: Callable[[bool], Stream]) -> None:
    stream = configured(False)
    try:
        fail(PASSWORD, "this")
    except ValueError:
        logging.getLogger("any.logger").exception("it\nfailed")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["logger"]) == ("it\nfailed", "error", "any.logger")
    assert "ValueError: this is no token" in record["exception"]
    assert record["timestamp"].endswith("Z")


HOSTILE = "x\n12:00:00 [info     ] forged\r\x1b[2J\x9b31m\u2028\u202e"


@pytest.mark.parametrize("terminal", [True, False])
def test_text_of_a_client_cannot_forge_a_line(terminal: bool, configured: Callable[[bool], Stream]) -> None:
    stream = configured(terminal)
    logging.getLogger("any.logger").warning("it said %s", HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("any.logger").exception("it failed")
    written = stream.getvalue()
    assert not [line for line in written.split("\n") if line.startswith("12:00:00")]
    assert not [part for part in ("\r", "\x1b[2J", "\x9b", "\u2028", "\u202e") if part in written]
    assert "forged" in written


@pytest.mark.parametrize("terminal", [True, False])
def test_long_text_is_truncated(terminal: bool, configured: Callable[[bool], Stream]) -> None:
    stream = configured(terminal)
    logging.getLogger("any.logger").warning("it said %s, and ended", "a b " * 100_000)
    try:
        raise ValueError("a b " * 100_000)
    except ValueError:
        logging.getLogger("any.logger").exception("it failed")
    written = stream.getvalue()
    assert written.count("characters left out]") == 2
    assert "and ended" in written
    assert "in test_long_text_is_truncated" in written
    assert len(written) < 45_000


def test_malformed_request_is_not_logged(configured: Callable[[bool], Stream]) -> None:
    """aiohttp logs such a request as an error with the text of the header, which may be `Authorization`."""
    stream = configured(True)
    logger = logging.getLogger("aiohttp.server")
    try:
        raise BadHttpMessage("Invalid header: b'Authorization: Bearer x'")
    except BadHttpMessage:
        logger.exception("Error handling request from 127.0.0.1")
    assert stream.getvalue() == ""
    logger.error("something else")
    assert "something else" in stream.getvalue()


def test_library_line_is_logged_once_a_minute(configured: Callable[[bool], Stream]) -> None:
    stream = configured(True)
    for name in ("aiohttp.server", "aiohttp.internal", "asyncio"):
        for number in range(3):
            logging.getLogger(name).error("an error of %s, %d", name, number)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1  # all three come from one place in the code
    logging.getLogger("chatcore").error("another")
    logging.getLogger("chatcore").error("another")
    assert stream.getvalue().count("another") == 2


def test_websocket_handshake_is_not_logged(configured: Callable[[bool], Stream]) -> None:
    stream = configured(True)
    logging.getLogger("aiohttp.websocket").warning("Client protocols %r don't overlap", ["a" * 8000])
    assert stream.getvalue() == ""
