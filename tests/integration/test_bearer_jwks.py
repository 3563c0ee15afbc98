"""`bearer` with the keys behind an address: rotation, faults of the server, and how often it is asked."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import anyio
import pytest
from aiohttp import ClientSession, web

from chatcore import Chat
from chatcore.errors import Unavailable
from chatcore.ports.authenticator import Authenticator, Credentials
from chatcore_aiohttp import add_endpoints, add_guard
from chatcore_http import CommandRoutes, Endpoints, Guard, Origins
from chatcore_memory import MemoryStore
from chatcore_security import bearer
from chatcore_security.bearer_tokens import BearerTokens
from chatcore_security.jwks import JwkSet
from tests.integration.jwks_server import (
    JwksServer,
    Request,
    jwks_server,
    self_signed_certificate,
    with_body,
    with_document,
)
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.unit.accounts_node import Clock

OLD, NEW = Issuer(key_id="old"), Issuer(key_id="new")
ALGORITHMS = ["ES256", "RS256", "EdDSA"]


@pytest.fixture
def server() -> Generator[JwksServer]:
    with jwks_server() as server:
        server.serve_keys(OLD)
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000)


@pytest.fixture
def authenticate(server: JwksServer, clock: Clock) -> Authenticator:
    """The authenticator of a host, whose keys age by `clock`."""
    keys = JwkSet(server.url, ALGORITHMS, clock=clock)
    return BearerTokens(keys.find, ALGORITHMS, AUDIENCE, ISSUER, "sub").authenticate


async def user_of(authenticate: Authenticator, token: str) -> str | None:
    principal = await authenticate(Credentials(token=token))
    return principal.user if principal else None


async def is_unavailable(authenticate: Authenticator, token: str) -> bool:
    try:
        await authenticate(Credentials(token=token))
    except Unavailable:
        return True
    return False


@pytest.mark.anyio
async def test_keys_of_every_type_in_one_set_are_used(server: JwksServer) -> None:
    issuers = [Issuer(algorithm, key_id=algorithm) for algorithm in ALGORITHMS]
    unused = [5, {"kty": "oct", "k": "eHh4"}, {"kty": "EC", "kid": ["x"]}, {"kty": "AKP"}, OLD.jwk(use="enc"), {}]
    server.answer = with_document({"keys": [*unused, *(issuer.jwk(use=..., alg=...) for issuer in issuers)]})
    authenticate = bearer(jwks_url=server.url, algorithms=ALGORITHMS, audience=AUDIENCE, issuer=ISSUER)
    expiry = int(time.time()) + 30
    for issuer in issuers:
        principal = await authenticate(Credentials(token=issuer.token(exp=expiry)))
        assert principal is not None
        assert (principal.user, principal.expires_at) == ("alice", datetime.fromtimestamp(expiry, UTC))
    assert await user_of(authenticate, OLD.token()) is None
    assert server.requests == 1


@pytest.mark.anyio
async def test_set_with_one_key_without_id_is_used_for_tokens_without_id(server: JwksServer) -> None:
    issuer = Issuer(key_id=None)
    server.serve_keys(issuer)
    authenticate = bearer(jwks_url=server.url, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert await user_of(authenticate, issuer.token()) == "alice"
    assert await user_of(authenticate, OLD.token()) is None


@pytest.mark.anyio
async def test_key_for_one_algorithm_is_not_used_for_another(server: JwksServer) -> None:
    issuer = Issuer("RS256")
    server.answer = with_document({"keys": [issuer.jwk(alg="PS256"), OLD.jwk()]})
    authenticate = bearer(jwks_url=server.url, algorithms=ALGORITHMS, audience=AUDIENCE, issuer=ISSUER)
    assert await user_of(authenticate, issuer.token()) is None


@pytest.mark.anyio
async def test_concurrent_requests_share_one_fetch(authenticate: Authenticator, server: JwksServer) -> None:
    server.released.clear()
    users = list[str | None]()

    async def ask() -> None:
        users.append(await user_of(authenticate, OLD.token()))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
        await server.has_been_asked()
        server.released.set()
    assert users == ["alice"] * 50
    assert server.requests == 1


@pytest.mark.anyio
async def test_fetch_goes_on_when_its_caller_is_cancelled(authenticate: Authenticator, server: JwksServer) -> None:
    server.released.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(user_of, authenticate, OLD.token())
        await server.has_been_asked()
        tasks.cancel_scope.cancel()
    server.released.set()
    assert await user_of(authenticate, OLD.token()) == "alice"
    assert server.requests == 1


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_fetch_outlives_the_event_loop_in_which_it_began(
    first: str, second: str, authenticate: Authenticator, server: JwksServer
) -> None:
    server.released.clear()

    async def give_up() -> None:
        with anyio.move_on_after(5) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(user_of, authenticate, OLD.token())
                await server.has_been_asked()
                scope.cancel()

    anyio.run(give_up, backend=first)
    server.released.set()
    assert anyio.run(user_of, authenticate, OLD.token(), backend=second) == "alice"
    assert server.requests == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_http_request_is_answered_200_401_or_503(server: JwksServer, clock: Clock) -> None:
    keys = JwkSet(server.url, ALGORITHMS, clock=clock)
    authenticate = BearerTokens(keys.find, ALGORITHMS, AUDIENCE, ISSUER, "sub").authenticate
    app = web.Application()
    add_guard(app, Guard(Origins.parse(None)))
    async with Chat(MemoryStore()) as chat, ClientSession() as client:
        add_endpoints(app, Endpoints(CommandRoutes(chat=chat, authenticate=authenticate).endpoints()))
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()

        async def answer(token: str) -> tuple[int, str | None]:
            url = f"http://127.0.0.1:{site.port}/api/v1/rooms"
            async with client.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
                return response.status, (await response.json()).get("code")

        try:
            assert await answer(OLD.token()) == (200, None)
            assert await answer(OLD.token(exp=1)) == (401, "unauthenticated")
            clock.tick(3_600)
            server.answer = with_body(b"", 500)
            assert await answer(OLD.token()) == (503, "unavailable")
        finally:
            await runner.cleanup()


# Rotation, and how often the server is asked.


@pytest.mark.anyio
async def test_new_key_is_found_by_its_id_and_a_withdrawn_one_is_refused(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    assert await user_of(authenticate, OLD.token()) == "alice"
    server.serve_keys(NEW)
    clock.tick(60)
    assert await user_of(authenticate, OLD.token()) == "alice"
    assert await user_of(authenticate, NEW.token()) == "alice"
    assert await user_of(authenticate, OLD.token()) is None
    assert server.requests == 2


@pytest.mark.anyio
async def test_unknown_key_ids_cause_one_fetch_a_minute(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    assert await user_of(authenticate, OLD.token()) == "alice"
    storm = [Issuer(key_id=f"made up {number}").token() for number in range(20)]
    for minute in range(1, 4):
        clock.tick(59.9)
        for token in storm:
            assert await user_of(authenticate, token) is None
        assert server.requests == minute
        clock.tick(0.1)
        async with anyio.create_task_group() as tasks:
            for token in storm:
                tasks.start_soon(user_of, authenticate, token)
        assert server.requests == minute + 1
        assert await user_of(authenticate, OLD.token()) == "alice"


@pytest.mark.anyio
async def test_unknown_key_ids_cause_one_fetch_a_minute_while_the_server_fails(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    assert await user_of(authenticate, OLD.token()) == "alice"
    server.answer = with_body(b"", 503)
    clock.tick(60)
    for _ in range(20):
        assert await is_unavailable(authenticate, NEW.token())
        assert await user_of(authenticate, OLD.token()) == "alice"
        clock.tick(2.9)
    assert server.requests == 2
    server.serve_keys(OLD, NEW)
    clock.tick(2)
    assert await user_of(authenticate, NEW.token()) == "alice"
    assert server.requests == 3


@pytest.mark.anyio
async def test_token_with_another_algorithm_causes_no_fetch(authenticate: Authenticator, server: JwksServer) -> None:
    assert await user_of(authenticate, Issuer("ES384").token()) is None
    assert await user_of(authenticate, "a" * 20_000) is None
    assert server.requests == 0


@pytest.mark.anyio
async def test_keys_are_fetched_again_in_the_background_after_half_an_hour(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    assert await user_of(authenticate, OLD.token()) == "alice"
    server.released.clear()
    server.serve_keys(NEW)
    clock.tick(1_799)
    assert await user_of(authenticate, OLD.token()) == "alice"
    assert server.requests == 1
    clock.tick(1)
    assert await user_of(authenticate, OLD.token()) == "alice"  # it does not wait for the server
    await server.has_been_asked(2)
    server.released.set()
    assert await user_of(authenticate, NEW.token()) == "alice"
    assert await user_of(authenticate, OLD.token()) is None


@pytest.mark.anyio
async def test_keys_are_used_for_an_hour_at_most_while_the_server_fails(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    assert await user_of(authenticate, OLD.token()) == "alice"
    server.answer = with_body(b"", 500)
    clock.tick(3_599)
    assert await user_of(authenticate, OLD.token()) == "alice"
    await server.has_been_asked(2)
    clock.tick(1)
    assert await is_unavailable(authenticate, OLD.token())
    server.serve_keys(OLD)
    clock.tick(1)
    assert await user_of(authenticate, OLD.token()) == "alice"


# Faults of the server.


@pytest.mark.anyio
async def test_failed_fetch_is_unavailable_and_repeated_after_a_second(
    authenticate: Authenticator, server: JwksServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = with_body(b"", 503)
    for _ in range(10):
        assert await is_unavailable(authenticate, OLD.token())
        clock.tick(0.099)
    assert server.requests == 1
    clock.tick(0.1)
    server.serve_keys(OLD)
    assert await user_of(authenticate, OLD.token()) == "alice"
    assert server.requests == 2
    assert [record.getMessage() for record in caplog.records if record.name.startswith("chatcore")] == [
        f"JWKS could not be fetched: url={server.url} reason=the answer has the status 503",
        f"JWKS could be fetched again: url={server.url}",
    ]


@pytest.mark.anyio
async def test_server_that_is_down_is_unavailable_until_it_is_up(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with jwks_server() as down:
        port = down.server_port
    keys = JwkSet(f"{down.url}?secret=planted", ALGORITHMS, clock=clock)
    authenticate = BearerTokens(keys.find, ALGORITHMS, AUDIENCE, ISSUER, "sub").authenticate
    assert await is_unavailable(authenticate, OLD.token())
    assert "Connection refused" in caplog.text
    clock.tick(1)
    with jwks_server(port) as up:
        up.serve_keys(OLD)
        assert await user_of(authenticate, OLD.token()) == "alice"
    assert "planted" not in caplog.text


WRONG: dict[str, tuple[Callable[[Request], object], str]] = {
    "no JSON": (with_body(b"<html>Sign in</html>"), "the answer is no JWK set, a JSON object with a list `keys`"),
    "no text": (with_body(b"\xff\xfe\xff"), "the answer is no JWK set, a JSON object with a list `keys`"),
    "nothing": (with_body(b""), "the answer is no JWK set, a JSON object with a list `keys`"),
    "deep": (with_body(b"[" * 200_000), "the answer is no JWK set, a JSON object with a list `keys`"),
    "a list": (with_document([OLD.jwk()]), "the answer is no JWK set, a JSON object with a list `keys`"),
    "one key": (with_document(OLD.jwk()), "the answer is no JWK set, a JSON object with a list `keys`"),
    "keys are an object": (
        with_document({"keys": {"old": OLD.jwk()}}),
        "the answer is no JWK set, a JSON object with a list `keys`",
    ),
    "no keys": (with_document({"keys": []}), "the JWK set has no key for ES256, RS256, EdDSA"),
    "unusable keys": (
        with_document({"keys": [OLD.jwk(crv="P-192"), OLD.jwk(x="!"), OLD.jwk(y=5), None]}),
        "the JWK set has no key for ES256, RS256, EdDSA",
    ),
    "half an answer": (
        with_body(json.dumps({"keys": [OLD.jwk()]}).encode()[:-1]),
        "the answer is no JWK set, a JSON object with a list `keys`",
    ),
    "not found": (with_body(b"", 404), "the answer has the status 404"),
    "large": (
        with_document({"keys": [OLD.jwk()], "padding": "x" * 262_144}),
        "the answer is larger than 262144 bytes",
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize(("answer", "reason"), WRONG.values(), ids=WRONG.keys())
async def test_wrong_answer_is_unavailable_and_logged(
    answer: Callable[[Request], object],
    reason: str,
    authenticate: Authenticator,
    server: JwksServer,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.answer = answer
    assert await is_unavailable(authenticate, OLD.token())
    assert f"JWKS could not be fetched: url={server.url} reason={reason}" in caplog.text
    server.serve_keys(OLD)
    clock.tick(1)
    assert await user_of(authenticate, OLD.token()) == "alice"


@pytest.mark.anyio
async def test_set_of_256_kib_is_accepted(authenticate: Authenticator, server: JwksServer) -> None:
    document = json.dumps({"keys": [OLD.jwk()]}).encode()
    server.answer = with_body(document + b" " * (262_144 - len(document)))
    assert await user_of(authenticate, OLD.token()) == "alice"


@pytest.mark.anyio
async def test_endless_answer_is_read_up_to_a_bound(authenticate: Authenticator, server: JwksServer) -> None:
    cut = Event()

    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b" " * 65_536)
        except OSError:
            cut.set()

    server.answer = endless
    assert await is_unavailable(authenticate, OLD.token())
    assert await anyio.to_thread.run_sync(cut.wait, 10)


@pytest.mark.anyio
async def test_certificate_of_the_server_is_checked(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = tmp_path / "localhost.pem"
    certificate.write_bytes(self_signed_certificate("localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with jwks_server(context=context) as server:
        server.serve_keys(OLD)
        keys = JwkSet(f"https://localhost:{server.server_port}/jwks.json", ALGORITHMS, clock=clock)
        authenticate = BearerTokens(keys.find, ALGORITHMS, AUDIENCE, ISSUER, "sub").authenticate
        assert await is_unavailable(authenticate, OLD.token())
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
        assert server.requests == 0
        clock.tick(1)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await user_of(authenticate, OLD.token()) == "alice"


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(
    status: int, authenticate: Authenticator, server: JwksServer, caplog: pytest.LogCaptureFixture
) -> None:
    with jwks_server() as another:
        another.serve_keys(OLD)
        server.answer = with_body(b"", status, Location=another.url)
        assert await is_unavailable(authenticate, OLD.token())
        assert another.requests == 0
    assert f"reason=the answer has the status {status}; set jwks_url to the address that it redirects to" in caplog.text


@pytest.mark.anyio
async def test_proxy_of_the_environment_is_not_asked_for_a_loopback_host(
    authenticate: Authenticator, server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with jwks_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert await user_of(authenticate, OLD.token()) == "alice"
        assert proxy.requests == 0


@pytest.mark.anyio
async def test_server_that_does_not_answer_is_unavailable_within_2_s(
    authenticate: Authenticator, server: JwksServer
) -> None:
    server.released.clear()
    with anyio.fail_after(2):
        assert await is_unavailable(authenticate, OLD.token())


def slowly(*parts: bytes, then: bytes, until: Event) -> Callable[[Request], None]:
    """Begin an answer, go on with a byte or a line a tenth of a second, and end it after `until`."""

    def answer(request: Request) -> None:
        with suppress(OSError):
            for part in parts[:-1]:
                request.wfile.write(part)
            while not until.wait(0.1):
                request.wfile.write(parts[-1])
            request.wfile.write(then)

    return answer


@pytest.mark.anyio
async def test_answer_that_comes_byte_by_byte_is_unavailable_within_2_s(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    server.answer = slowly(b"HTTP/1.0 200 OK\r\n\r\n", b" ", then=b"", until=Event())
    with anyio.fail_after(2):
        assert await is_unavailable(authenticate, OLD.token())
    server.serve_keys(OLD)
    clock.tick(1)
    assert await user_of(authenticate, OLD.token()) == "alice"


@pytest.mark.anyio
async def test_fetch_that_does_not_end_is_replaced_after_a_minute(
    authenticate: Authenticator, server: JwksServer, clock: Clock
) -> None:
    end = Event()
    late = json.dumps({"keys": [OLD.jwk()]}).encode()
    server.answer = slowly(b"HTTP/1.0 200 OK\r\n", b"X: y\r\n", then=b"\r\n" + late, until=end)
    with anyio.fail_after(2):
        assert await is_unavailable(authenticate, OLD.token())
    clock.tick(59)
    assert await is_unavailable(authenticate, OLD.token())
    assert server.requests == 1
    clock.tick(1)
    server.serve_keys(NEW)
    assert await user_of(authenticate, NEW.token()) == "alice"
    end.set()
    for thread in threading.enumerate():
        if thread.name == "chatcore-jwks":
            await anyio.to_thread.run_sync(thread.join, 10)
    assert await user_of(authenticate, NEW.token()) == "alice"
    assert await user_of(authenticate, OLD.token()) is None
    assert server.requests == 2
