"""Password hashes by argon2-cffi and access tokens by PyJWT."""
