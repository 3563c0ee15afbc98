"""Texts of log lines: of bounded length, without tokens, and without characters that could forge a line.

A client without an account may cause any text, so every step takes linear time.
"""

import json
import re

EVENT_MAX = 4 * 1024
"""Characters of the event of a line."""
TRACEBACK_MAX = 32 * 1024
"""Characters of an exception with its traceback."""

_SESSION_MIN = 16
_SIGNATURE_MIN = 43

_WORD = re.compile(r"[\w.-]+")
"""A run of the characters of tokens. It matches at each of them, so a search reads no part of a text twice."""


def safe_event(text: str) -> str:
    """Return the event of a line, bounded and without tokens."""
    return masked(bounded(text, EVENT_MAX))


def safe_traceback(text: str) -> str:
    """Return an exception with its traceback, bounded and without tokens: it may quote what a client sent."""
    return masked(bounded(text, TRACEBACK_MAX))


def bounded(text: str, length_max: int) -> str:
    """Return the beginning and the end of ``text``, with a note about what is left out.

    The result has at most ``length_max`` characters without the note. No word is cut in two: a part of a token would
    not be recognised as a token.
    """
    if len(text) <= length_max:
        return text
    half = length_max // 2
    head = text[: half - _word_at_start(text[:half][::-1])]
    tail = text[-half:][_word_at_start(text[-half:]) :]
    return f"{head}[{len(text) - len(head) - len(tail)} characters left out]{tail}"


def masked(text: str) -> str:
    """Return ``text`` with ``[token]`` for every word that contains an access token or a refresh token."""
    return _WORD.sub(lambda word: "[token]" if _has_token(word[0]) else word[0], text)


def printable(text: str) -> str:
    """Return ``text`` with its control characters escaped: no line break, no escape sequence of a terminal."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def printable_json(text: str) -> str:
    """Return a JSON text with the control characters in its strings as JSON's escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def indented(text: str) -> str:
    """Return the lines of ``text`` indented, so that none looks like the beginning of a log line."""
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
    """Return whether three parts between dots are a JWT or a refresh token (session, generation and signature)."""
    if not second or not third:
        return False
    is_refresh = len(first) >= _SESSION_MIN and len(third) >= _SIGNATURE_MIN and second.isascii() and second.isdigit()
    return "eyJ" in first[:-1] or is_refresh
