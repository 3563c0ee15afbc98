"""An issuer of JWTs with real keys, as a host or an identity provider has them."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ISSUER, AUDIENCE = "https://login.example.com/", "chat"

CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES256K": ec.SECP256K1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}


def new_key(algorithm: str) -> PrivateKey:
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


@frozen
class Issuer:
    """Signs tokens with a key of its own.

    Attributes:
        key_id: stands in the header of tokens and in the JWK; None for none.
    """

    algorithm: str = "ES256"
    key_id: str | None = "k1"
    key: PrivateKey = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", new_key(self.algorithm))

    @property
    def public_pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def private_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def jwk(self, **fields: Any) -> dict[str, Any]:
        """The public key as a JWK; a field that is ... is left out."""
        public = json.loads(jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key.public_key()))
        public.pop("key_ops", None)
        return present({**public, "kid": self.key_id or ..., "use": "sig", "alg": self.algorithm, **fields})

    def token(self, **claims: Any) -> str:
        """A token of alice that is valid for a minute, with other claims; one that is ... is left out."""
        headers = {"kid": self.key_id} if self.key_id else None
        return jwt.encode(claims_of_alice(**claims), self.key, self.algorithm, headers)


def claims_of_alice(**claims: Any) -> dict[str, Any]:
    now = int(time.time())  # a suite on a busy machine reaches a token long after it has been made
    return present({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 3600, **claims})


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ...}
