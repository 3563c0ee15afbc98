"""chatcore over HTTP, on aiohttp."""
