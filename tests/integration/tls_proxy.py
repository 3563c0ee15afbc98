"""A reverse proxy that ends TLS: it names the client's address and scheme to the server, and passes all else on."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import frozen

from .jwks_server import self_signed_certificate

CHUNK = 65_536


@frozen
class TlsProxy:
    """Where the proxy listens, and a context for clients that trusts its certificate."""

    url: str
    context: ssl.SSLContext


@asynccontextmanager
async def tls_proxy(port: int, folder: Path) -> AsyncGenerator[TlsProxy]:
    """A proxy before the server at a port of loopback. It carries one request a connection."""
    certificate = folder / "localhost.pem"
    certificate.write_bytes(self_signed_certificate("localhost"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def carry(client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await client.readuntil(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"x-forwarded-")]
        address = writer.get_extra_info("peername")[0].encode()
        lines[1:1] = [b"X-Forwarded-For: " + address, b"X-Forwarded-Proto: https", b"Connection: close"]
        reader, server = await asyncio.open_connection("127.0.0.1", port)
        server.write(b"\r\n".join(lines))
        up = asyncio.create_task(_copy(client, server))
        await _copy(reader, writer)
        up.cancel()
        server.close()
        writer.close()

    listening = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    async with listening:
        url = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
        yield TlsProxy(url, ssl.create_default_context(cafile=str(certificate)))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
