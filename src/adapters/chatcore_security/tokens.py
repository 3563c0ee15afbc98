"""Access tokens by PyJWT, refresh tokens by HMAC; both from one server secret."""

import base64
import hmac
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.types import Options

from chatcore.accounts import Session, TokenIssuer
from chatcore.ports.authenticator import Principal

SECRET_MIN = 32
"""Bytes of a secret: the minimum for HS256 (RFC 7518, section 3.2)."""

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "chatcore"


class JwtTokens(TokenIssuer):
    """Signs tokens with keys that are derived from one secret. A refresh token lives as long as its session.

    Args:
        secret: at least 32 bytes, the same on all nodes.
        lifetime_s: seconds until an access token expires, without leeway.
        clock: returns seconds since 1970, UTC.

    Raises:
        ValueError: the secret is too short.
    """

    def __init__(self, secret: bytes, *, lifetime_s: int = 900, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < SECRET_MIN:
            raise ValueError(f"The server's secret has at least {SECRET_MIN} bytes, this one has {len(secret)}.")
        self._access_key = hmac.digest(secret, b"chatcore access token", "sha256")
        self._refresh_key = hmac.digest(secret, b"chatcore refresh token", "sha256")
        self._lifetime_s = lifetime_s
        self._clock = clock

    def issue_access(self, session: Session) -> tuple[str, int]:
        now = self._clock()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": session.user,
            "sid": session.id,
            "dev": session.device,
            "iat": math.floor(now),
            "exp": math.ceil(now + self._lifetime_s),
        }
        return jwt.encode(claims, self._access_key, ALGORITHM), self._lifetime_s

    def read_access(self, token: str) -> Principal | None:
        try:
            claims = self._verified_claims(token)
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (jwt.PyJWTError, TypeError, ValueError, OverflowError, OSError):
            return None
        match claims:
            case {"sub": str(user), "dev": str(device), "sid": str(session), "iat": int(), "exp": int(exp)}:
                return Principal(user, device, expires_at, session) if self._clock() < exp else None
            case _:
                return None

    def issue_refresh(self, session: str, generation: int) -> str:
        return self._signed(f"{session}.{generation}")

    def read_refresh(self, token: str) -> tuple[str, int] | None:
        try:
            payload, _, _ = token.rpartition(".")
            if not hmac.compare_digest(self._signed(payload), token):
                return None
            session, _, generation = payload.rpartition(".")
            return session, int(generation)
        except (AttributeError, TypeError, ValueError):  # no string, or no ASCII
            return None

    def _verified_claims(self, token: str) -> dict[str, Any]:
        options: Options = {
            "require": ["iss", "aud", "sub", "sid", "dev", "iat", "exp"],
            "strict_aud": True,
            "verify_exp": False,  # PyJWT reads the system's clock; `read_access` compares with `clock`
            "verify_iat": False,  # the clock of the node that signed may be ahead
        }
        if not isinstance(token, str):  # PyJWT also accepts bytes
            raise TypeError
        return jwt.decode(token, self._access_key, [ALGORITHM], options, audience=AUDIENCE, issuer=ISSUER)

    def _signed(self, payload: str) -> str:
        digest = hmac.digest(self._refresh_key, payload.encode(), "sha256")
        return f"{payload}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
