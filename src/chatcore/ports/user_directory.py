"""The port that knows which users exist, and their profiles."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from ..domain.entries import Data
from ..domain.serialization import data_fault, is_encodable
from ..ids import UserId

NAME_MAX = 200
"""Characters of a profile's name."""
AVATAR_MAX = 500
"""Characters of the URL of an avatar."""


def _check_name(_: object, __: "Attribute[str | None]", value: object) -> None:
    if value is not None and (not isinstance(value, str) or len(value) > NAME_MAX or not is_encodable(value)):
        raise ValueError(f"name must be a str of at most {NAME_MAX} characters")


def _check_avatar(_: object, __: "Attribute[str | None]", value: object) -> None:
    if value is None:
        return
    is_text = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    if not isinstance(value, str) or not is_text or len(value) > AVATAR_MAX:
        raise ValueError(f"avatar must be a URL of at most {AVATAR_MAX} ASCII characters")
    if urlsplit(value).scheme != "https" or not urlsplit(value).hostname:
        raise ValueError("avatar must be a URL that begins with https://")


def _check_data(_: object, __: "Attribute[Data | None]", value: Data | None) -> None:
    if value is not None and (fault := data_fault(value)):
        raise ValueError(f"data {fault}")


@frozen(kw_only=True)
class Profile:
    """What a host shows of one of its users. Raises ValueError if a field is not valid.

    Attributes:
        name: at most 200 characters.
        avatar: a URL of at most 500 characters that begins with ``https://``.
        data: a JSON object of at most 8 KiB, as the ``data`` of a message.
    """

    name: str | None = field(default=None, validator=_check_name)
    avatar: str | None = field(default=None, validator=_check_avatar)
    data: Data | None = field(default=None, validator=_check_data)


UserDirectory: TypeAlias = Callable[[Collection[UserId]], Awaitable[Mapping[UserId, Profile]]]
"""Returns the profiles of those users who exist. Without a user directory every valid user id exists."""

UserSearch: TypeAlias = Callable[[str, int], Awaitable[Mapping[UserId, Profile]]]
"""Returns users whose id or name begins with a prefix, at most as many as a number, in the order to show them.

The prefix is as `chatcore.domain.names.search_form` returns it: ids and names are compared in that form.
"""
