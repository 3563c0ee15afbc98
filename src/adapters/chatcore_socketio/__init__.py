"""chatcore over Socket.IO, on aiohttp."""
