"""The life cycle of a server: it listens, serves until it has to stop, and closes everything."""

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from aiohttp import web
from attrs import frozen

from chatcore_http import Hosts
from chatcore_websocket import ConnectionLimits

from . import app, garbage_collector
from .bootstrap import bootstrap
from .connections import HttpProtocol, OpenConnections, connections_max
from .errors import SettingsError
from .settings import Settings, named

Address: TypeAlias = tuple[str, int]

STOP_S = 9.5
"""Seconds after which a stopping server exits, even if a task still hangs. No acknowledged command is lost then."""
BACKLOG = 1024

log: Final = logging.getLogger(__name__)


@frozen(kw_only=True)
class Timeouts:
    """Durations in seconds.

    Attributes:
        idle: how long a connection may exist without a complete request, from its beginning or the last response.
        sending: how long a client may take to read a response.
        lingering: how long the rest of a refused body is read, so that its sender can read the refusal.
        handling: how long running requests may take when the server stops; the server may wait for it twice.
    """

    idle: float = 30
    sending: float = 30
    lingering: float = 2
    handling: float = 1


async def serve(settings: Settings, announce: Callable[[Sequence[Address]], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Before requests are answered, a signal ends the process at once: nothing is acknowledged yet.

    Args:
        settings: the settings of the server.
        announce: is called with the server's addresses once requests are answered.

    Raises:
        SettingsError: the server cannot listen, or a setting is missing.
        StoreError: the store cannot be opened.
    """
    async with running(settings) as addresses:
        stop = _stop_by_signal()
        announce(addresses)
        await stop.wait()
    log.info("stopped")


@asynccontextmanager
async def running(settings: Settings, timeouts: Timeouts = Timeouts()) -> AsyncGenerator[Sequence[Address]]:
    """Run a server while the block runs, and return its addresses.

    At the end of the block the server stops in this order: it accepts no more connections, sends ``bye`` to all
    sockets, executes the queued commands, and closes the store.

    Raises:
        SettingsError: the server cannot listen, or a setting is missing.
        StoreError: the store cannot be opened.
    """
    open_connections = OpenConnections(connections_max(settings.sockets_per_address), settings.trusted_proxies)
    async with _listener(settings, lambda: _protocol(runner, open_connections, timeouts)) as listener:
        components = bootstrap(settings)
        addresses: Sequence[Address] = [listening.getsockname()[:2] for listening in listener.sockets]
        application = app.build(
            components,
            settings.origins,
            _hosts(settings, addresses),
            sending_s=timeouts.sending,
            proxies=settings.trusted_proxies,
            connection_limits=ConnectionLimits(websockets_per_address=settings.sockets_per_address),
            is_sign_up_open=settings.signup == "open",
        )
        runner = web.AppRunner(application, shutdown_timeout=timeouts.handling)
        async with components.chat, _set_up(runner):
            await listener.start_serving()
            try:
                with garbage_collector.set_for_serving():
                    yield addresses
            finally:
                listener.close()


def _hosts(settings: Settings, addresses: Sequence[Address]) -> Hosts:
    if settings.hosts is not None:
        return settings.hosts
    return Hosts.default([host for host, _ in addresses], configured=[settings.host, *settings.origins.hosts])


def _stop_by_signal() -> asyncio.Event:
    """Return an event that the first SIGINT, SIGTERM or SIGHUP sets.

    A second SIGINT or SIGTERM ends the process at once. A second SIGHUP does not: a terminal that is closed may send
    several. If SIGHUP is ignored, as under nohup, it stays ignored.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)

    def stop_at_first_signal() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        log.info("stopping; a second signal stops it at once")
        last_resort = threading.Timer(STOP_S, os._exit, [0])
        last_resort.daemon = True  # the process does not wait for it
        last_resort.start()
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, stop_at_first_signal)
    return stop


@asynccontextmanager
async def _listener(settings: Settings, make: Callable[[], asyncio.Protocol]) -> AsyncGenerator[asyncio.Server]:
    """Bind the server's addresses, before the store is opened. The sockets do not listen yet."""
    try:
        listener = await asyncio.get_running_loop().create_server(
            make, settings.host, settings.port, backlog=BACKLOG, start_serving=False
        )
    except (OSError, UnicodeError) as error:
        raise SettingsError(_cant_listen(settings, error)) from error
    try:
        yield listener
    finally:
        listener.close()


@asynccontextmanager
async def _set_up(runner: web.AppRunner) -> AsyncGenerator[None]:
    try:
        await runner.setup()
        yield
    finally:
        await runner.cleanup()


def _protocol(runner: web.AppRunner, open_connections: OpenConnections, timeouts: Timeouts) -> asyncio.Protocol:
    if runner.server is None:
        raise RuntimeError("the server has not started, or has stopped")
    return HttpProtocol(
        runner.server,
        open_connections,
        loop=asyncio.get_running_loop(),
        auto_decompress=False,  # `read_bytes` refuses encoded bodies; to decode a broken body fails outside of handlers
        access_log=None,  # otherwise each connection has a logger that writes nothing
        keepalive_timeout=timeouts.idle,
        lingering_time=timeouts.lingering,
    )


def _cant_listen(settings: Settings, error: OSError | UnicodeError) -> str:
    where = f"port {settings.port} at {settings.host}"
    no_own_address = (
        f"{named('host')} is no address of this machine; 127.0.0.1 serves this machine alone, 0.0.0.0 others too."
    )
    match error:
        case socket.gaierror() | UnicodeError():  # UnicodeError for a text that cannot be a host name
            return no_own_address
        case OSError(errno=errno.EADDRINUSE):
            return f"{named('port')}: {where} is in use; stop the program that uses it, or choose another port."
        case OSError(errno=errno.EACCES):
            return f"{named('port')}: {where} needs rights that this user lacks; choose one above 1023."
        case OSError(errno=errno.EADDRNOTAVAIL):
            return no_own_address
        case _:
            return f"{named('host')}, {named('port')}: {where} can't be listened on: {error}."
