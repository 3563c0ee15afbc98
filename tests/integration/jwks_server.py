"""An HTTP server with a set of public keys, as identity providers have them; it can be slow, wrong or endless."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any

import anyio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.issuer import Issuer


class JwksServer(ThreadingHTTPServer):
    """Listens on loopback.

    Attributes:
        answer: writes the answer to a request.
        requests: the number of requests so far.
        released: requests are answered while it is set.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, context: SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), Request)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answer: Callable[[Request], object] = with_document({"keys": []})
        self.requests = 0
        self.counted = threading.Condition()
        self.released = threading.Event()
        self.released.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks.json"

    def serve_keys(self, *issuers: Issuer) -> None:
        self.answer = with_document({"keys": [issuer.jwk() for issuer in issuers]})

    async def has_been_asked(self, times: int = 1) -> None:
        """Wait until there have been so many requests."""
        await anyio.to_thread.run_sync(self._wait_for_requests, times)

    def _wait_for_requests(self, times: int) -> None:
        with self.counted:
            assert self.counted.wait_for(lambda: self.requests >= times, timeout=10)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing where a client has gone."""


class Request(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, JwksServer)
        with self.server.counted:
            self.server.requests += 1
            self.server.counted.notify_all()
        self.server.released.wait()
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Print nothing."""


def with_document(content: Any) -> Callable[[Request], None]:
    return with_body(json.dumps(content).encode())


def with_body(body: bytes, status: int = 200, **headers: str) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def self_signed_certificate(host: str) -> bytes:
    """A certificate of a host for an hour, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private


@contextmanager
def jwks_server(port: int = 0, context: SSLContext | None = None) -> Generator[JwksServer]:
    with JwksServer(port, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
