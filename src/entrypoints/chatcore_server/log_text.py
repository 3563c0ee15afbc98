"""What texts of a log line may hold: a bounded length, no token, and no character that forges a line.

Any of it may come from a client without an account, so every step takes linear time.
"""

import json
import re

EVENT_MAX = 4 * 1024
"""Characters of a line's event."""
TRACEBACK_MAX = 32 * 1024
"""Characters of an exception with its traceback."""

_SESSION_MIN = 16
_SIGNATURE_MIN = 43

_WORD = re.compile(r"[\w.-]+")
"""What a token stands in. It matches wherever it begins, so that no part of a text is read twice."""


def safe_event(text: str) -> str:
    """The text of a line, bounded and without tokens."""
    return masked(bounded(text, EVENT_MAX))


def safe_traceback(text: str) -> str:
    """An exception with its traceback, bounded and without tokens: its text may quote what a client sent."""
    return masked(bounded(text, TRACEBACK_MAX))


def bounded(text: str, most: int) -> str:
    """The beginning and the end of ``text``, with at most ``most`` characters and a note of what is left out.

    No word is cut in two: a part of a token would not be recognised as one.
    """
    if len(text) <= most:
        return text
    half = most // 2
    head = text[: half - _word_at_start(text[:half][::-1])]
    tail = text[-half:][_word_at_start(text[-half:]) :]
    return f"{head}[{len(text) - len(head) - len(tail)} characters left out]{tail}"


def masked(text: str) -> str:
    """``text`` with ``[token]`` for every word that holds an access token or a refresh token."""
    return _WORD.sub(lambda word: "[token]" if _has_token(word[0]) else word[0], text)


def printable(text: str) -> str:
    """``text`` on one line, without control characters: no line break, no escape sequence of a terminal."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def printable_json(text: str) -> str:
    """The JSON text ``text`` with control characters in strings as JSON's escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def indented(text: str) -> str:
    """Lines that can't be taken for the beginning of a log line."""
    return "\n".join(f"    {printable(line)}" for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _word_at_start(text: str) -> int:
    word = _WORD.match(text)
    return word.end() if word else 0


def _has_token(word: str) -> bool:
    parts = word.split(".")
    return any(_is_token(*three) for three in zip(parts, parts[1:], parts[2:], strict=False))


def _is_token(first: str, second: str, third: str) -> bool:
    """Whether three parts between dots are a JWT, or a refresh token's session, generation and signature."""
    if not second or not third:
        return False
    is_refresh = len(first) >= _SESSION_MIN and len(third) >= _SIGNATURE_MIN and second.isascii() and second.isdigit()
    return "eyJ" in first[:-1] or is_refresh
