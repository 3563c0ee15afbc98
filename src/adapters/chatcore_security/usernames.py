"""User names by precis-i18n."""

import re

from precis_i18n import get_profile

from chatcore.ids import USER_MAX, UserId, is_user_id

NAME_MAX = 32
"""Characters of a name in canonical form."""

_PROFILE = get_profile("UsernameCaseMapped")
_ASCII = re.compile(r"[!-~]+")
"""The profile allows all printable characters of ASCII but the space, and only maps their case."""


def canonical_username(name: str) -> UserId | None:
    """Return a name in canonical form (RFC 8265, section 3.3, UsernameCaseMapped): ``alice`` for ``Alice``.

    Returns:
        None if the RFC does not allow the name, if its canonical form has more than 32 characters or is no user id.
    """
    if len(name) > USER_MAX:
        return None
    try:
        # Most names are ASCII: precis-i18n takes 20 times as long, and a command may name many users.
        canonical: str = name.lower() if _ASCII.fullmatch(name) else _PROFILE.enforce(name)
    except UnicodeEncodeError:  # precis-i18n raises it for a string that the profile does not allow
        return None
    return canonical if len(canonical) <= NAME_MAX and is_user_id(canonical) else None
