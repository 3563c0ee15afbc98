"""An `Authenticator` for hosts that have JWTs of their own, or from an identity provider."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import jwt
from jwt.types import Options

from chatcore.commands.auth import TOKEN_MAX
from chatcore.ids import is_user_id
from chatcore.log_throttle import LogThrottle
from chatcore.ports.authenticator import Authenticator, Credentials, Principal

from .jwks import JwkSet, checked_url
from .jwt_keys import ASYMMETRIC, SYMMETRIC, checked_algorithms, verifying_key

NOT_BEFORE_LEEWAY_S = 5
"""Seconds by which the clock of the issuer may be ahead. Expiry has no leeway: sockets end with their token."""

FindKey: TypeAlias = Callable[[str | None, str], Awaitable[jwt.PyJWK | None]]
"""Returns the key with an id for an algorithm."""

_log = logging.getLogger(__name__)


def bearer(
    *,
    key: str | bytes | Mapping[str, object] | None = None,
    jwks_url: str | None = None,
    algorithms: Sequence[str],
    audience: str | None,
    issuer: str | None,
    user: str = "sub",
) -> Authenticator:
    """Return an `Authenticator` for signed JWTs. Pass either ``key`` or ``jwks_url``.

    A token needs the claim ``exp``, which ends the user's sockets, and a user id. A token that is not valid is refused;
    the log says why, once a minute for each reason. If the keys have to be fetched and cannot be, the authenticator
    raises `Unavailable`.

    Args:
        key: the shared secret of HS256, HS384 or HS512, with at least 32, 48 or 64 bytes; for the other algorithms the
            public key, as PEM or as a JWK.
        jwks_url: the address of the public keys. https, or http on a loopback host. Keys are used for an hour at most.
            A token with an unknown key id causes a fetch, at most once a minute.
        algorithms: those that tokens may be signed with: HS256, HS384, HS512, or some of RS256, RS384, RS512, PS256,
            PS384, PS512, ES256, ES256K, ES384, ES512 and EdDSA, which need the extra ``jwt``.
        audience: must be the claim ``aud`` or in it. None accepts the tokens that the issuer made for other services.
        issuer: must be the claim ``iss``. None accepts every issuer that has the key.
        user: the claim with the user id, a string of 1 to 128 characters.

    Raises:
        ValueError: an argument is wrong; the message says what to pass.
        ModuleNotFoundError: an extra is missing; the message says which one.
    """
    accepted = checked_algorithms(algorithms)
    for name, value in (("audience", audience), ("issuer", issuer)):
        if value is not None and (value == "" or not isinstance(value, str)):
            raise ValueError(f"{name} must be a string with text; pass None to accept any.")
    if user == "" or not isinstance(user, str):
        raise ValueError('user must be the name of a claim, such as "sub".')
    return BearerTokens(_key_source(key, jwks_url, accepted), accepted, audience, issuer, user).authenticate


class BearerTokens:
    """Reads signed JWTs.

    Args:
        find_key: is asked for the key of each token.
        algorithms: those that a token may be signed with.
        audience: must be the claim ``aud`` or in it; None for any.
        issuer: must be the claim ``iss``; None for any.
        user: the claim with the user id.
        clock: returns seconds since 1970, UTC.
    """

    def __init__(
        self,
        find_key: FindKey,
        algorithms: Sequence[str],
        audience: str | None,
        issuer: str | None,
        user: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find_key = find_key
        self._algorithms = algorithms
        self._audience = audience
        self._issuer = issuer
        self._user = user
        self._clock = clock
        self._throttle = LogThrottle()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user of the token, or None if it is missing, not valid or expired. Raises `Unavailable`."""
        if credentials.token is None:
            return None
        try:
            return self._principal(await self._claims(credentials.token))
        except _Refused as refused:
            if self._throttle.admits(refused.reason):
                _log.warning("Bearer token was refused: reason=%s remedy=%s", refused.reason, refused.remedy)
        except (jwt.PyJWTError, TypeError, ValueError):  # no JWT at all
            pass
        return None

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token with a right signature, audience and issuer."""
        if len(token) > TOKEN_MAX:
            raise _Refused("size", f"issue tokens of at most {TOKEN_MAX} characters")
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            shown = next((name for name in ("none", *SYMMETRIC, *ASYMMETRIC) if name == algorithm), "unknown")
            raise _Refused(f"algorithm {shown}", f"sign tokens with {' or '.join(self._algorithms)}")
        key = await self._find_key(header.get("kid"), algorithm)
        if key is None:
            raise _Refused("kid", "sign tokens with a key that is in the set behind jwks_url, and name it in `kid`")
        try:
            return jwt.decode(token, key, [algorithm], self._options(), audience=self._audience, issuer=self._issuer)
        except jwt.InvalidSignatureError:
            raise _Refused("signature", "sign tokens with the key that belongs to key or jwks_url") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.MissingRequiredClaimError) as error:
            claim, expected = ("iss", self._issuer) if _is_about_issuer(error) else ("aud", self._audience)
            raise _Refused(
                claim, f"issue tokens with `{claim}` {expected!r}, or pass what they have to bearer"
            ) from None

    def _options(self) -> Options:
        return {
            "verify_aud": self._audience is not None,
            "verify_iss": self._issuer is not None,
            "verify_exp": False,  # PyJWT reads the system's clock; `_principal` compares with `clock`
            "verify_nbf": False,
            "verify_iat": False,  # the clock of the issuer may be ahead
            "verify_sub": False,  # `_principal` checks the claim with the user
            "verify_jti": False,
        }

    def _principal(self, claims: Mapping[str, Any]) -> Principal | None:
        now = self._clock()
        not_before, user = claims.get("nbf"), claims.get(self._user)
        expires_at = _utc(claims.get("exp"))
        if expires_at is None:
            raise _Refused("exp", "issue tokens with the claim `exp`, in seconds since 1970")
        if expires_at.timestamp() <= now:
            return None
        if not_before is not None and not (_is_number(not_before) and not_before <= now + NOT_BEFORE_LEEWAY_S):
            raise _Refused("nbf", "issue tokens that are valid at once, and compare the clocks of both servers")
        if not isinstance(user, str):
            raise _Refused(f"user in `{self._user}` is no string", f"put the user id into `{self._user}`: str(user.id)")
        if not is_user_id(user):
            raise _Refused(
                f"user in `{self._user}` is no user id", "use ids of 1 to 128 characters, without control characters"
            )
        return Principal(user, expires_at=expires_at)


class _Refused(Exception):
    """A token is refused for a reason that the host can remove."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def _key_source(
    key: str | bytes | Mapping[str, object] | None, jwks_url: str | None, algorithms: Sequence[str]
) -> FindKey:
    if (key is None) == (jwks_url is None):
        raise ValueError("Pass either key or jwks_url, and only one of them.")
    if jwks_url is not None:
        if algorithms[0] in SYMMETRIC:
            raise ValueError(f"{algorithms[0]} has a secret, not a public key; pass key instead of jwks_url.")
        return JwkSet(checked_url(jwks_url), algorithms).find
    assert key is not None
    if not isinstance(key, str | bytes | Mapping):
        raise ValueError("key must be a string, bytes or a dict with a JWK.")
    keys = {algorithm: verifying_key(key, algorithm) for algorithm in algorithms}

    async def find(key_id: str | None, algorithm: str) -> jwt.PyJWK:
        return keys[algorithm]  # the one key, whatever id the issuer gave it

    return find


def _is_about_issuer(error: jwt.InvalidTokenError) -> bool:
    return isinstance(error, jwt.InvalidIssuerError) or (
        isinstance(error, jwt.MissingRequiredClaimError) and error.claim == "iss"
    )


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _utc(seconds: Any) -> datetime | None:
    """The time of a claim, or None if it is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if _is_number(seconds) else None
    except (ValueError, OverflowError, OSError):
        return None
