"""The algorithms of JWTs, and the keys that verify their signatures."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jwt
from jwt import PyJWK
from jwt.algorithms import has_crypto

SYMMETRIC = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The algorithms with a shared secret, and the fewest bytes of their secrets (RFC 7518, section 3.2)."""

ASYMMETRIC = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES256K", "ES384", "ES512", "EdDSA"),
)
"""The algorithms with a public key."""

Jwk: TypeAlias = Mapping[str, object]


def checked_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    """Return the algorithms that a host accepts.

    Raises:
        ValueError: none is given, one is unknown, or symmetric and asymmetric ones are mixed.
        ModuleNotFoundError: they need cryptography, and it is not installed.
    """
    if isinstance(algorithms, str):
        raise ValueError(f"algorithms must be a list of names; pass [{algorithms!r}].")
    names = tuple(algorithms)
    if not names:
        raise ValueError('algorithms is empty; name the algorithm that your tokens are signed with, such as ["RS256"].')
    for name in names:
        if str(name).lower() == "none":
            raise ValueError(
                'algorithms must not contain "none": everyone can write such tokens; sign them, for example with RS256.'
            )
        if name not in SYMMETRIC and name not in ASYMMETRIC:
            raise ValueError(f"algorithms has {name!r}; use some of {', '.join([*SYMMETRIC, *ASYMMETRIC])}.")
    if any(name in SYMMETRIC for name in names):
        if any(name in ASYMMETRIC for name in names):
            raise ValueError(
                "algorithms mixes HS256, HS384 or HS512 with those of public keys, and a public key is no secret; name"
                " algorithms of one kind."
            )
    elif not has_crypto:
        raise ModuleNotFoundError(
            f"{names[0]} needs cryptography; in a clone of chatcore: pip install '.[jwt]'", name="cryptography"
        )
    return names


def verifying_key(key: str | bytes | Jwk, algorithm: str) -> PyJWK:
    """Return a key that verifies signatures of one algorithm. Of a private key it is the public part.

    Args:
        key: a shared secret, a public key as PEM, or a JWK.
        algorithm: one of `SYMMETRIC` or `ASYMMETRIC`.

    Raises:
        ValueError: the key does not fit the algorithm. The message says what to pass, and does not contain the key.
    """
    return _secret(key, algorithm) if algorithm in SYMMETRIC else public_key(key, algorithm)


def public_key(key: str | bytes | Jwk, algorithm: str) -> PyJWK:
    """Return a public key, as PEM or JWK, that verifies signatures of one algorithm.

    Raises:
        ValueError: the key does not fit the algorithm. The message says what to pass, and does not contain the key.
    """
    prepared, weakness = _prepared(key, algorithm)
    if prepared is None:
        raise ValueError(
            f"key is no public key for {algorithm}; pass a PEM public key (not a certificate), or a JWK as a dict,"
            " of the right type and curve."
        )
    if weakness:
        raise ValueError(f"key is too short for {algorithm}; use an RSA key of at least 2048 bits.")
    return _bound(prepared.public_key() if hasattr(prepared, "public_key") else prepared, algorithm)


def _secret(key: str | bytes | Jwk, algorithm: str) -> PyJWK:
    is_pem = not isinstance(key, Mapping) and b"-----BEGIN" in (key.encode() if isinstance(key, str) else key)
    prepared, weakness = (None, None) if is_pem else _prepared(key, algorithm)
    if prepared is None:
        raise ValueError(
            f"key is empty, a public key, a certificate or another JWK, and {algorithm} needs the secret that signs the"
            " tokens; pass it, or name the algorithm of the public key, such as RS256."
        )
    if weakness:
        raise ValueError(
            f"key has {len(prepared)} bytes; {algorithm} needs a random secret of at least {SYMMETRIC[algorithm]} bytes"
            " (RFC 7518, section 3.2)."
        )
    return _bound(prepared, algorithm)


def _prepared(key: str | bytes | Jwk, algorithm: str) -> tuple[Any, str | None]:
    """The key as PyJWT prepares it, or None if it does not fit, and what PyJWT says of its length."""
    scheme = jwt.get_algorithm_by_name(algorithm)
    try:
        if isinstance(key, Mapping):
            if key.get("alg", algorithm) != algorithm:
                return None, None
            key = scheme.from_jwk(dict(key))
        prepared = scheme.prepare_key(key)
        return prepared, scheme.check_key_length(prepared)
    except Exception:  # noqa: BLE001 - PyJWT and cryptography raise many types, and some texts contain the key
        return None, None


def _bound(prepared: Any, algorithm: str) -> PyJWK:
    """The key bound to its algorithm: PyJWT refuses tokens with another one."""
    return PyJWK(jwt.get_algorithm_by_name(algorithm).to_jwk(prepared, as_dict=True), algorithm)
