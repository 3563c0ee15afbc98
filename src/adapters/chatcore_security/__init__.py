"""Users by tokens and passwords: the security parts of the bundled accounts, and `bearer` for a host's own JWTs.

Hashes are by argon2-cffi, tokens by PyJWT, user names by precis-i18n. Each is imported when it is first used, so that
`bearer` needs only the extra `jwt`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bearer_tokens import bearer as bearer
    from .passwords import Argon2Hasher as Argon2Hasher
    from .tokens import JwtTokens as JwtTokens
    from .usernames import canonical_username as canonical_username
else:
    _PLACES = {
        "bearer": ("bearer_tokens", "jwt"),
        "Argon2Hasher": ("passwords", "accounts"),
        "JwtTokens": ("tokens", "accounts"),
        "canonical_username": ("usernames", "accounts"),
    }
    """The module of each public name, and the extra with what it imports."""

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, extra = _PLACES[name]
        try:
            return getattr(import_module(f".{module}", __name__), name)
        except ModuleNotFoundError as missing:
            if missing.name not in ("argon2", "jwt", "precis_i18n"):
                raise
            raise ModuleNotFoundError(
                f"{__name__}.{name} needs {missing.name}; in a clone of chatcore: pip install '.[{extra}]'",
                name=missing.name,
            ) from missing
