"""The commands of a client: `chatcore login`, `logout`, `chat`, `send` and `tail`."""
