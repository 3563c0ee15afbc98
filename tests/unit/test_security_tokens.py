"""Access tokens by PyJWT and refresh tokens by HMAC. Foreign tokens are refused and raise nothing."""

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.accounts import Session
from chatcore_security import JwtTokens

from .accounts_node import SECRET, Clock

NOW = int(Clock().now)
TOKENS = JwtTokens(SECRET, clock=Clock())
BOB = Session(id="s1", user="bob", device="phone", generation=1)
KEY = TOKENS._access_key
CLAIMS = {"iss": "chatcore", "aud": "chatcore", "sub": "bob", "sid": "s1", "dev": "phone", "iat": NOW, "exp": NOW + 900}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes = b"", key: bytes = KEY) -> str:
    """Return a token with a valid HS256 signature of any header and claims."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    claims = json.dumps(CLAIMS).encode() if claims == b"" else claims
    claims = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    text = f"{b64(header)}.{b64(claims)}"
    return f"{text}.{b64(hmac.digest(key, text.encode(), 'sha256'))}"


def signed(**claims: Any) -> str:
    """Return a token with other claims. A claim with the value ``...`` is left out."""
    merged = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return by_hand({"alg": "HS256", "typ": "JWT"}, merged)


def test_token_made_by_hand_is_valid_with_valid_claims() -> None:
    assert TOKENS.read_access(signed()) == TOKENS.read_access(TOKENS.issue_access(BOB)[0])
    assert TOKENS.read_access(signed())


def test_access_token_has_exactly_the_required_claims() -> None:
    token, expires_in = TOKENS.issue_access(BOB)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert jwt.decode(token, options={"verify_signature": False}) == CLAIMS
    assert expires_in == 900


REFUSED: dict[str, Any] = {
    **{f"without {claim}": signed(**{claim: ...}) for claim in CLAIMS},
    **{f"{claim} is null": signed(**{claim: None}) for claim in CLAIMS},
    **{f"{claim} is a list": signed(**{claim: [CLAIMS[claim]]}) for claim in CLAIMS},
    **{f"{claim} is a number": signed(**{claim: 5}) for claim in ("iss", "aud", "sub", "sid", "dev")},
    "expired now": signed(exp=NOW),
    "expired long ago": signed(exp=-(10**30)),
    "exp beyond all dates": signed(exp=10**30),
    "exp is text": signed(exp=str(NOW + 900)),
    "exp is NaN": by_hand({"alg": "HS256"}, json.dumps({**CLAIMS, "exp": float("nan")}).encode()),
    "exp is infinite": by_hand({"alg": "HS256"}, json.dumps({**CLAIMS, "exp": float("inf")}).encode()),
    "not valid yet": signed(nbf=2**40),
    "another issuer": signed(iss="other"),
    "another audience": signed(aud="other"),
    "algorithm none": jwt.encode(CLAIMS, "", algorithm="none"),
    "algorithm None, signed": by_hand({"alg": "None"}),
    "algorithm RS256, signed as HS256": by_hand({"alg": "RS256"}),
    "algorithm HS512": jwt.encode(CLAIMS, KEY + KEY, algorithm="HS512"),
    "algorithm HS384, our key": by_hand({"alg": "HS384"}),
    "no algorithm": by_hand({"typ": "JWT"}),
    "algorithm is a list": by_hand({"alg": ["HS256"]}),
    "a key in the header": by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, key=b"x" * 32),
    "an unknown extension": by_hand({"alg": "HS256", "crit": ["x"], "x": 1}),
    "another key": by_hand({"alg": "HS256"}, key=b"x" * 32),
    "the secret itself as key": by_hand({"alg": "HS256"}, key=SECRET),
    "the key of refresh tokens": by_hand({"alg": "HS256"}, key=TOKENS._refresh_key),
    "an empty key": by_hand({"alg": "HS256"}, key=b""),
    "claims are a list": by_hand({"alg": "HS256"}, b"[]"),
    "claims are no JSON": by_hand({"alg": "HS256"}, b"\xff{"),
    "claims are too deep": by_hand({"alg": "HS256"}, b"[" * 50_000),
    "header is too deep": by_hand(b"[" * 50_000),
    "header is null": by_hand(b"null"),
    "no signature": signed().rpartition(".")[0] + ".",
    "signature cut off": signed()[:-2],
    "a signature of other claims": f"{signed(sub='eve').rpartition('.')[0]}.{signed().rpartition('.')[2]}",
    "a refresh token": TOKENS.issue_refresh("s1", 1),
    "empty": "",
    "dots": "....",
    "not ASCII": "é.é.é",
    "a lone surrogate": "\ud800.\ud800.\ud800",
    "NUL": "\x00",
    "a megabyte": "a" * 1_000_000,
    "None": None,
    "a number": 5,
    "bytes": TOKENS.issue_access(BOB)[0].encode(),
    "a list": [TOKENS.issue_access(BOB)[0]],
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
def test_foreign_access_token_is_refused(token: Any) -> None:
    assert TOKENS.read_access(token) is None


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED.keys())
def test_foreign_refresh_token_is_refused(token: Any) -> None:
    if token != TOKENS.issue_refresh("s1", 1):
        assert TOKENS.read_refresh(token) is None


@given(st.text() | st.binary() | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*"))
@example("..")
@example("s1.1.")
def test_reading_any_token_raises_nothing(token: Any) -> None:
    assert TOKENS.read_access(token) is None
    assert TOKENS.read_refresh(token) is None


def test_access_token_with_a_changed_character_is_refused() -> None:
    token, _ = TOKENS.issue_access(BOB)
    for place, char in enumerate(token[:-1]):  # the last character has 2 unused bits
        for other in {"A", "B", "_", ".", ""} - {char}:
            assert TOKENS.read_access(token[:place] + other + token[place + 1 :]) is None


def test_access_token_of_a_node_with_a_clock_ahead_is_valid() -> None:
    assert TOKENS.read_access(signed(iat=NOW + 60))


@pytest.mark.parametrize("now", [1_000_000.0, 8_000_000_000.0])
def test_only_the_given_clock_counts(now: float) -> None:
    clock = Clock(now)
    tokens = JwtTokens(SECRET, clock=clock)
    token, _ = tokens.issue_access(BOB)
    assert tokens.read_access(token)
    clock.tick(900)
    assert tokens.read_access(token) is None


def test_access_token_has_no_leeway() -> None:
    clock = Clock()
    tokens = JwtTokens(SECRET, lifetime_s=1, clock=clock)
    token, expires_in = tokens.issue_access(BOB)
    assert expires_in == 1
    clock.tick(0.999)
    assert tokens.read_access(token)
    clock.tick(0.001)
    assert tokens.read_access(token) is None


def test_access_token_lives_at_least_its_lifetime() -> None:
    clock = Clock()
    tokens = JwtTokens(SECRET, lifetime_s=1, clock=clock)
    clock.tick(0.9)
    token, _ = tokens.issue_access(BOB)
    clock.tick(0.99)
    assert tokens.read_access(token)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**63))
def test_refresh_token_is_read_as_it_was_issued(session: str, generation: int) -> None:
    text = TOKENS.issue_refresh(session, generation)
    if text.isascii():
        assert TOKENS.read_refresh(text) == (session, generation)
        assert TOKENS.read_access(text) is None


def test_refresh_token_is_equal_on_all_nodes_and_unique_per_generation() -> None:
    tokens = {JwtTokens(SECRET).issue_refresh(session, number) for session in ("s1", "s2") for number in range(100)}
    assert len(tokens) == 200
    assert TOKENS.issue_refresh("s1", 99) in tokens
    assert JwtTokens(SECRET[::-1]).issue_refresh("s1", 99) not in tokens


@pytest.mark.parametrize("length", [0, 1, 31])
def test_short_secret_is_refused_without_showing_it(length: int) -> None:
    secret = b"planted-secret-that-is-too-short"[:length]
    with pytest.raises(ValueError, match="at least 32 bytes") as refused:
        JwtTokens(secret)
    assert "planted" not in str(refused.value)
