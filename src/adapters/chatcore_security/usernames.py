"""User names by precis-i18n."""

from precis_i18n import get_profile

from chatcore.ids import USER_MAX, UserId, is_user_id

NAME_MAX = 32
"""In characters, after mapping."""

_PROFILE = get_profile("UsernameCaseMapped")


def canonical_username(name: str) -> UserId | None:
    """The name as RFC 8265 (3.3, UsernameCaseMapped) writes it: ``Alice`` is ``alice``; None for one that it refuses,
    that has more than 32 characters then, or that is no user id."""
    if len(name) > USER_MAX:
        return None
    try:
        found: str = _PROFILE.enforce(name)
    except UnicodeEncodeError:  # how precis-i18n says that it refuses a string
        return None
    return found if len(found) <= NAME_MAX and is_user_id(found) else None
