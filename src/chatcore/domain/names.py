"""The form in which names and titles are compared by a search."""

import sys
import unicodedata

FORMS = 2
"""The most forms of a user."""
TITLE_FORM_MAX = 576
"""The most characters of a title's form, so that a room's place in a list fits into a page token.

The form of a prefix has no more: a prefix has at most 32 characters, and one character becomes at most 18.
"""
_SURROGATES = range(0xD800, 0xE000)


def search_form(text: str) -> str:
    """Return a text without the differences of case, width and composition: casefolded, between two NFKC."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def search_forms(user: str, name: str | None) -> list[str]:
    """Return the forms under which a search finds a user: of the id and of the name, each once."""
    return sorted({search_form(user), search_form(name or user)})


def title_form(text: str) -> str:
    """Return the form of a title, or of its start, by which public rooms are found and sorted."""
    return search_form(text)[:TITLE_FORM_MAX]


def end_of_prefix(prefix: str) -> str | None:
    """Return the least text above all texts that begin with ``prefix``; None if no text is above them."""
    for index in reversed(range(len(prefix))):
        following = ord(prefix[index]) + 1
        if following <= sys.maxunicode:
            return prefix[:index] + chr(_SURROGATES.stop if following in _SURROGATES else following)
    return None
