"""The security parts of the bundled accounts: hashes by argon2-cffi, tokens by PyJWT, user names by precis-i18n."""

try:
    from .passwords import Argon2Hasher as Argon2Hasher
    from .tokens import JwtTokens as JwtTokens
    from .usernames import canonical_username as canonical_username
except ModuleNotFoundError as missing:
    if missing.name not in ("argon2", "jwt", "precis_i18n"):
        raise
    raise ModuleNotFoundError(
        f"chatcore_security needs {missing.name}; in a clone of chatcore: pip install '.[server]'", name=missing.name
    ) from missing
