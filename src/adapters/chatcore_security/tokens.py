"""Access tokens are JWTs, signed with HS256; refresh tokens are signed too. Both keys come from one server secret."""

import base64
import hmac
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt

from chatcore.accounts import Session, TokenIssuer
from chatcore.ports.authenticator import Principal

SECRET_MIN = 32
"""Bytes of a secret: the minimum for HS256 (RFC 7518, section 3.2)."""

ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
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
        # By hand: PyJWT looks at each character of a token in Python, which took a tenth of the time of a connect.
        try:
            content, _, signature = token.rpartition(".")
            if not hmac.compare_digest(_signature(self._access_key, content), signature):
                return None
            header, _, payload = content.partition(".")
            if _decoded(header) != HEADER:
                return None
            return self._principal(_decoded(payload))
        except (AttributeError, TypeError, ValueError, OverflowError, OSError, RecursionError):  # no token of ours
            return None

    def _principal(self, claims: object) -> Principal | None:
        match claims:
            case {"nbf": _}:  # never issued here
                return None
            case {
                "iss": str(issuer),
                "aud": str(audience),
                "sub": str(user),
                "sid": str(session),
                "dev": str(device),
                "iat": int(),  # not compared with `clock`: the clock of the node that signed may be ahead
                "exp": int(exp),
            } if (issuer, audience) == (ISSUER, AUDIENCE) and self._clock() < exp:
                return Principal(user, device, datetime.fromtimestamp(exp, UTC), session)
            case _:
                return None

    def issue_refresh(self, session: str, generation: int) -> str:
        payload = f"{session}.{generation}"
        return f"{payload}.{_signature(self._refresh_key, payload)}"

    def read_refresh(self, token: str) -> tuple[str, int] | None:
        try:
            payload, _, signature = token.rpartition(".")
            if not hmac.compare_digest(_signature(self._refresh_key, payload), signature):
                return None
            session, _, generation = payload.rpartition(".")
            return session, int(generation)
        except (AttributeError, TypeError, ValueError):  # no string, or no ASCII
            return None


def _signature(key: bytes, content: str) -> str:
    """Return the signature of a token's content, in base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(hmac.digest(key, content.encode(), "sha256")).rstrip(b"=").decode()


def _decoded(segment: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(f"{segment}=="))
