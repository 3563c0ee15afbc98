"""`bearer` with a key: which arguments a host may pass, and whose tokens are accepted."""

import base64
import hmac
import json
import logging
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chatcore.ports.authenticator import Authenticator, Credentials, Principal
from chatcore_security import bearer
from chatcore_security.bearer_tokens import BearerTokens
from chatcore_security.jwt_keys import verifying_key
from tests.issuer import AUDIENCE, CURVES, ISSUER, Issuer, claims_of_alice

from .accounts_node import Clock

SECRET = "a shared secret of the tests, with at least 64 bytes, as HS512 wants it"
RSA, EC, ED = Issuer("RS256"), Issuer("ES256"), Issuer("EdDSA")
ISSUERS = {"RS256": RSA, "ES256": EC, "EdDSA": ED}


def of_secret(**options: Any) -> Authenticator:
    return of_key(SECRET, "HS256", **options)


def of_public_key(algorithm: str = "ES256", **options: Any) -> Authenticator:
    return of_key(ISSUERS[algorithm].public_pem, algorithm, **options)


def of_key(key: str, algorithm: str, /, **options: Any) -> Authenticator:
    """The authenticator of a host, with other arguments than usual."""
    usual: dict[str, Any] = {"key": key, "algorithms": [algorithm], "audience": AUDIENCE, "issuer": ISSUER}
    return bearer(**{**usual, **options})


def signed(**claims: Any) -> str:
    return jwt.encode(claims_of_alice(**claims), SECRET, "HS256")


async def user_of(authenticate: Authenticator, token: Any) -> str | None:
    principal = await authenticate(Credentials(token=token))
    return principal.user if principal else None


def refused(authenticate: Authenticator, token: Any) -> bool:
    return anyio.run(user_of, authenticate, token) is None


# Tokens that are accepted.


def test_example_of_the_documentation_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")
    (example,) = re.findall(
        r"^```python\n(import os\n\nfrom chatcore_security .*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    monkeypatch.setenv("JWT_SECRET", SECRET)
    exec(compile(example, "embedding.md", "exec"), {})


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_token_signed_with_the_shared_secret_is_accepted(algorithm: str) -> None:
    token = jwt.encode(claims_of_alice(), SECRET, algorithm)
    assert await user_of(of_secret(algorithms=[algorithm]), token) == "alice"


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
async def test_token_signed_with_an_rsa_key_is_accepted(algorithm: str) -> None:
    token = jwt.encode(claims_of_alice(), RSA.key, algorithm)
    assert await user_of(of_public_key("RS256", algorithms=[algorithm]), token) == "alice"


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", [*CURVES, "EdDSA"])
@pytest.mark.parametrize("form", ["public_pem", "private_pem", "jwk"])
async def test_token_signed_with_an_elliptic_key_is_accepted(algorithm: str, form: str) -> None:
    issuer = Issuer(algorithm)
    key = issuer.jwk() if form == "jwk" else getattr(issuer, form)
    authenticate = bearer(key=key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER)
    assert await user_of(authenticate, issuer.token()) == "alice"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "key",
    [RSA.private_pem, RSA.public_pem.encode(), RSA.jwk(), RSA.jwk(alg=..., use=...)],
    ids=["private PEM", "public PEM", "JWK", "JWK without alg"],
)
async def test_rsa_key_is_accepted_in_every_form(key: Any) -> None:
    assert await user_of(of_public_key("RS256", key=key), RSA.token()) == "alice"


@pytest.mark.anyio
async def test_secret_is_accepted_as_jwk() -> None:
    key = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode()}
    assert await user_of(of_secret(key=key), signed()) == "alice"


@pytest.mark.anyio
async def test_exp_becomes_expires_at_and_the_token_has_no_session() -> None:
    clock = Clock()
    tokens = BearerTokens(find_secret, ["HS256"], AUDIENCE, ISSUER, "sub", clock=clock)
    principal = await tokens.authenticate(Credentials(token=signed(exp=clock.now + 90.5)))
    assert principal == Principal("alice", expires_at=datetime.fromtimestamp(clock.now + 90.5, UTC))


@pytest.mark.anyio
async def test_audience_may_be_one_of_several() -> None:
    assert await user_of(of_secret(), signed(aud=["other", AUDIENCE])) == "alice"


@pytest.mark.anyio
async def test_audience_and_issuer_none_accept_any() -> None:
    authenticate = of_secret(audience=None, issuer=None)
    for claims in ({}, {"aud": "other", "iss": "other"}, {"aud": ..., "iss": ...}):
        assert await user_of(authenticate, signed(**claims)) == "alice"


@pytest.mark.anyio
async def test_user_is_read_from_the_claim_that_the_host_names() -> None:
    authenticate = of_secret(user="email")
    assert await user_of(authenticate, signed(email="alice@example.com", sub=5)) == "alice@example.com"
    assert await user_of(authenticate, signed()) is None


@pytest.mark.anyio
async def test_issuer_whose_clock_is_slightly_ahead_is_accepted() -> None:
    ahead = int(time.time()) + 3
    assert await user_of(of_secret(), signed(iat=ahead + 1000, nbf=ahead)) == "alice"


# Tokens that are refused.


async def find_secret(key_id: str | None, algorithm: str) -> jwt.PyJWK:
    return verifying_key(SECRET, algorithm)


def test_token_without_leeway_expires_at_its_exp() -> None:
    clock = Clock()
    tokens = BearerTokens(find_secret, ["HS256"], AUDIENCE, ISSUER, "sub", clock=clock)
    token = signed(exp=int(clock.now) + 60)
    clock.tick(59.999)
    assert not refused(tokens.authenticate, token)
    clock.tick(0.001)
    assert refused(tokens.authenticate, token)


def with_header(header: Any, claims: Any, key: str = SECRET) -> str:
    """A token with a right HS256 signature, whatever its header is."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims))
    text = ".".join(map(unpadded, parts))
    return f"{text}.{unpadded(hmac.digest(key.encode(), text.encode(), 'sha256'))}"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


REFUSED: dict[str, tuple[Any, str | None]] = {
    "none": (jwt.encode(claims_of_alice(), "", "none"), "algorithm none"),
    "None": (with_header({"alg": "None"}, claims_of_alice()), "algorithm unknown"),
    "another algorithm": (jwt.encode(claims_of_alice(), SECRET, "HS512"), "algorithm HS512"),
    "a made-up algorithm": (with_header({"alg": "X\nfake log line"}, claims_of_alice()), "algorithm unknown"),
    "algorithm is a list": (with_header({"alg": ["HS256"]}, claims_of_alice()), "algorithm unknown"),
    "no algorithm": (with_header({"typ": "JWT"}, claims_of_alice()), "algorithm unknown"),
    "a key in the header": (
        jwt.encode(claims_of_alice(), "x" * 32, "HS256", {"jwk": {"kty": "oct", "k": "eHh4"}}),
        "signature",
    ),
    "an unknown critical extension": (jwt.encode(claims_of_alice(), SECRET, "HS256", {"crit": ["x"], "x": 1}), None),
    "another secret": (jwt.encode(claims_of_alice(), "x" * 32, "HS256"), "signature"),
    "no exp": (signed(exp=...), "exp"),
    "exp is null": (signed(exp=None), "exp"),
    "exp is text": (signed(exp=str(int(time.time()) + 3600)), "exp"),
    "exp is true": (signed(exp=True), "exp"),
    "exp is NaN": (signed(exp=float("nan")), "exp"),
    "exp is infinite": (signed(exp=float("inf")), "exp"),
    "exp is beyond all dates": (signed(exp=10**30), "exp"),
    "expired": (signed(exp=int(time.time()) - 1), None),
    "not valid yet": (signed(nbf=time.time() + 3000), "nbf"),
    "nbf is text": (signed(nbf="0"), "nbf"),
    "nbf is NaN": (signed(nbf=float("nan")), "nbf"),
    "another audience": (signed(aud="other"), "aud"),
    "no audience": (signed(aud=...), "aud"),
    "audience is a number": (signed(aud=5), "aud"),
    "another issuer": (signed(iss="https://evil.example.com/"), "iss"),
    "no issuer": (signed(iss=...), "iss"),
    "user is a number": (signed(sub=5), "user in `sub` is no string"),
    "user is missing": (signed(sub=...), "user in `sub` is no string"),
    "user is a list": (signed(sub=["alice"]), "user in `sub` is no string"),
    "user is empty": (signed(sub=""), "user in `sub` is no user id"),
    "user is too long": (signed(sub="a" * 129), "user in `sub` is no user id"),
    "user has a control character": (signed(sub="a\nb"), "user in `sub` is no user id"),
    "user is a lone surrogate": (signed(sub="\ud800"), "user in `sub` is no user id"),
    "claims are a list": (with_header({"alg": "HS256"}, []), None),
    "claims are no JSON": (with_header({"alg": "HS256"}, b"\xff{"), None),
    "claims are deep": (with_header({"alg": "HS256"}, b"[" * 11_000), None),
    "header is deep": (with_header(b"[" * 11_000, {}), None),
    "header is null": (with_header(None, claims_of_alice()), None),
    "more than 16,384 characters": (signed(x="a" * 16_384), "size"),
    "a megabyte": ("a" * 1_000_000, "size"),
    "no signature": (signed().rpartition(".")[0] + ".", "signature"),
    "no token": (None, None),
    "empty": ("", None),
    "dots": ("....", None),
    "no ASCII": ("é.é.é", None),
    "a lone surrogate": ("\ud800.\ud800.\ud800", None),
}


@pytest.mark.parametrize(("token", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_token_is_no_error_and_the_log_says_what_to_do(
    token: Any, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    authenticate = of_secret()
    assert refused(authenticate, token)
    assert refused(authenticate, token)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("chatcore")]
    assert len(lines) == (reason is not None)  # once a minute
    if reason is not None:
        assert lines[0].startswith(f"Bearer token was refused: reason={reason} remedy=")
        assert lines[0].isprintable()
        assert len(lines[0]) < 200


def test_refusals_of_two_reasons_are_both_logged(caplog: pytest.LogCaptureFixture) -> None:
    authenticate = of_secret()
    assert refused(authenticate, signed(exp=...))
    assert refused(authenticate, signed(sub=5))
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "Bearer token was refused: reason=exp remedy=issue tokens with the claim `exp`, in seconds since 1970",
        "Bearer token was refused: reason=user in `sub` is no string remedy=put the user id into `sub`: str(user.id)",
    ]


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_hs256_token_signed_with_the_public_key_is_refused(algorithm: str, caplog: pytest.LogCaptureFixture) -> None:
    forged = with_header({"alg": "HS256"}, claims_of_alice(), ISSUERS[algorithm].public_pem)
    assert refused(of_public_key(algorithm), forged)
    assert f"reason=algorithm HS256 remedy=sign tokens with {algorithm}" in caplog.text


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_unsigned_token_is_refused_by_a_public_key(algorithm: str, caplog: pytest.LogCaptureFixture) -> None:
    assert refused(of_public_key(algorithm), jwt.encode(claims_of_alice(), "", "none"))
    assert f"reason=algorithm none remedy=sign tokens with {algorithm}" in caplog.text


@pytest.mark.parametrize("algorithm", ISSUERS)
def test_token_of_another_key_of_the_same_type_is_refused(algorithm: str) -> None:
    assert refused(of_public_key(algorithm), Issuer(algorithm).token())


TOKENS = {"HS256": (of_secret(), signed(exp=4_000_000_000))} | {
    algorithm: (of_public_key(algorithm), issuer.token(exp=4_000_000_000)) for algorithm, issuer in ISSUERS.items()
}


@pytest.mark.parametrize("algorithm", TOKENS)
@given(data=st.data())
def test_token_with_a_changed_byte_is_refused(algorithm: str, data: st.DataObject) -> None:
    authenticate, token = TOKENS[algorithm]
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=127).filter(lambda char: char != token[place]))
    assert not refused(authenticate, token)
    assert refused(authenticate, token[:place] + other + token[place + 1 :])


def test_last_character_of_a_token_has_one_spelling() -> None:
    authenticate, token = TOKENS["HS256"]
    for other in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") - {token[-1]}:
        assert refused(authenticate, token[:-1] + other)


# Arguments.


def weak_rsa_key() -> str:
    weak = rsa.generate_private_key(65537, 1024)
    return weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


URL = "https://login.example.com/jwks.json"
PUBLIC_PEM_DER = base64.b64decode("".join(EC.public_pem.splitlines()[1:-1]))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "neither key nor address": ({"key": None}, "Pass either key or jwks_url"),
    "key and address": ({"jwks_url": URL}, "Pass either key or jwks_url"),
    "no algorithm": ({"algorithms": []}, "algorithms is empty; name"),
    "a string": ({"algorithms": "HS256"}, r"must be a list of names; pass \['HS256'\]"),
    "none": ({"algorithms": ["none"]}, 'must not contain "none"'),
    "none among others": ({"algorithms": ["HS256", "NONE"]}, 'must not contain "none"'),
    "an unknown algorithm": ({"algorithms": ["HS257"]}, "'HS257'; use some of HS256, "),
    "an algorithm that is no string": ({"algorithms": [256]}, "256; use some of HS256, "),
    "a mixture": ({"algorithms": ["HS256", "RS256"]}, "name algorithms of one kind"),
    "a mixture with an address": (
        {"key": None, "jwks_url": URL, "algorithms": ["RS256", "HS256"]},
        "name algorithms of one kind",
    ),
    "HS256 with an address": ({"key": None, "jwks_url": URL}, "HS256 has a secret, not a public key; pass key"),
    "HS256 with a public key": ({"key": RSA.public_pem}, "name the algorithm of the public key"),
    "HS256 with half a public key": ({"key": RSA.public_pem[:-30]}, "name the algorithm of the public key"),
    "HS256 with a private key": ({"key": RSA.private_pem.encode()}, "name the algorithm of the public key"),
    "HS256 with a DER key": ({"key": PUBLIC_PEM_DER}, "name the algorithm of the public key"),
    "HS256 with a public JWK": ({"key": RSA.jwk()}, "name the algorithm of the public key"),
    "HS256 with a JWK as text": ({"key": json.dumps(RSA.jwk())}, "name the algorithm of the public key"),
    "HS256 with no secret": ({"key": ""}, "key is empty"),
    "HS256 with a short secret": ({"key": "planted" + "x" * 24}, "key has 31 bytes; HS256 needs .* at least 32 bytes"),
    "HS512 with a secret for HS256": (
        {"algorithms": ["HS256", "HS512"], "key": "planted" + "x" * 56},
        "key has 63 bytes; HS512 needs .* at least 64 bytes",
    ),
    "a key that is a number": ({"key": 5}, "key must be a string, bytes or a dict"),
    "RS256 with a secret": ({"algorithms": ["RS256"]}, "no public key for RS256; pass a PEM public key"),
    "RS256 with an elliptic key": ({"algorithms": ["RS256"], "key": EC.public_pem}, "no public key for RS256"),
    "ES384 with a key for ES256": ({"algorithms": ["ES384"], "key": EC.public_pem}, "no public key for ES384"),
    "ES256 and EdDSA with one key": (
        {"algorithms": ["ES256", "EdDSA"], "key": EC.public_pem},
        "no public key for EdDSA",
    ),
    "ES256 with a JWK for another algorithm": (
        {"algorithms": ["ES256"], "key": EC.jwk(alg="ES384")},
        "no public key for ES256",
    ),
    "ES256 with a JWK without coordinates": (
        {"algorithms": ["ES256"], "key": EC.jwk(x=...)},
        "no public key for ES256",
    ),
    "EdDSA with half a public key": ({"algorithms": ["EdDSA"], "key": ED.public_pem[:40]}, "no public key for EdDSA"),
    "RS256 with a short key": ({"algorithms": ["RS256"], "key": weak_rsa_key()}, "at least 2048 bits"),
    "empty audience": ({"audience": ""}, "audience must be a string with text; pass None"),
    "audience is a list": ({"audience": ["chat"]}, "audience must be a string with text; pass None"),
    "empty issuer": ({"issuer": ""}, "issuer must be a string with text; pass None"),
    "empty user": ({"user": ""}, "user must be the name of a claim"),
    "user is None": ({"user": None}, "user must be the name of a claim"),
}


@pytest.mark.parametrize(("options", "remedy"), WRONG.values(), ids=WRONG.keys())
def test_wrong_argument_is_refused_in_one_line_without_showing_a_key(options: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy) as error:
        of_secret(**options)
    message = str(error.value)
    assert "\n" not in message
    assert "planted" not in message
    assert "BEGIN" not in message
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/jwks.json",
        "http://127.0.0.1.example.com/jwks.json",
        "http://192.168.0.1/jwks.json",
        "ftp://login.example.com/jwks.json",
        "file:///etc/passwd",
        "https:///jwks.json",
        "https://user:planted@login.example.com/jwks.json",
        "http://localhost@evil.example.com/jwks.json",
        "https://login.example.com/jwks json",
        "https://login.example.com/\r\nX: y",
        "https://login.example.com:99999/",
        "https://[::1/",
        "login.example.com/jwks.json",
        "",
        5,
    ],
)
def test_address_that_is_not_https_is_refused(url: Any) -> None:
    with pytest.raises(ValueError, match="jwks_url must be an address such as https://") as error:
        bearer(jwks_url=url, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
    assert "planted" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [URL, "https://login.example.com:8443/k?a=b", "http://localhost:1/k", "http://127.0.0.2/k", "http://[::1]:1/k"],
)
def test_address_is_not_asked_before_there_is_a_token(url: str) -> None:
    bearer(jwks_url=url, algorithms=["RS256", "ES256"], audience=AUDIENCE, issuer=ISSUER)


@pytest.mark.parametrize("missing", ["audience", "issuer", "algorithms"])
def test_algorithms_audience_and_issuer_must_be_passed(missing: str) -> None:
    options: dict[str, Any] = {"algorithms": ["HS256"], "audience": None, "issuer": None}
    del options[missing]
    with pytest.raises(TypeError, match=missing):
        bearer(key=SECRET, **options)
