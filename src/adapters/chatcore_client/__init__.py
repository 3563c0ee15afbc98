"""The Python client of a chatcore server, for asyncio."""
