"""A server's life: it listens, serves until it is told to stop, and leaves nothing behind."""

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import web
from attrs import frozen

from chatcore_aiohttp import Hosts
from chatcore_socketio import ConnectionLimits

from . import app, collector
from .bootstrap import bootstrap
from .connections import Doorman, per_address_max
from .protocol import HttpProtocol
from .settings import Settings, SettingsError, named

Address: TypeAlias = tuple[str, int]

STOP_S = 9.5
"""After so long whatever still hangs is left behind. Nothing acknowledged is lost with it."""
BACKLOG = 1024

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Times:
    """Durations in seconds.

    Attributes:
        idle: how long a connection may stand without a complete request, from its beginning or the last answer.
        sending: how long a client may take to read an answer.
        lingering: how long the rest of a refused body is read, so that its sender gets to read the refusal.
        handling: how long requests under way may take once the server stops; it may be waited for twice.
    """

    idle: float = 30
    sending: float = 30
    lingering: float = 2
    handling: float = 1


async def serve(settings: Settings, announce: Callable[[Sequence[Address]], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; ``announce`` is told host and port once requests are answered.

    Before that a signal ends the process at once: nothing is acknowledged yet.

    Raises `SettingsError` and `StoreError` where it can't begin.
    """
    async with running(settings) as addresses:
        stop = _stop_by_signal()
        announce(addresses)
        await stop.wait()
    log.info("stopped")


@asynccontextmanager
async def running(settings: Settings, times: Times = Times()) -> AsyncGenerator[Sequence[Address]]:
    """A server that answers requests until the block is left, at the addresses given.

    Then it stops in this order: no more connections, ``bye`` to all sockets, what was queued is carried out, the store
    is closed. Raises `SettingsError` and `StoreError` where it can't begin.
    """
    doorman = Doorman(per_address_max(settings.sockets_per_address), settings.trusted_proxies)
    async with _listener(settings, lambda: _protocol(runner, doorman, times)) as listener:
        parts = bootstrap(settings)
        addresses: Sequence[Address] = [one.getsockname()[:2] for one in listener.sockets]
        served = app.build(
            parts,
            settings.origins,
            _hosts(settings, addresses),
            sending=times.sending,
            proxies=settings.trusted_proxies,
            connection_limits=ConnectionLimits(websockets_per_address=settings.sockets_per_address),
            is_sign_up_open=settings.signup == "open",
        )
        runner = web.AppRunner(served, shutdown_timeout=times.handling)
        async with parts.chat, _set_up(runner):
            await listener.start_serving()
            try:
                with collector.set_for_serving():
                    yield addresses
            finally:
                listener.close()


def _hosts(settings: Settings, addresses: Sequence[Address]) -> Hosts:
    if settings.hosts is not None:
        return settings.hosts
    return Hosts.default([host for host, _ in addresses], configured=[settings.host, *settings.origins.hosts])


def _stop_by_signal() -> asyncio.Event:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; a second SIGINT or SIGTERM ends the process at once.

    A second SIGHUP does not: a terminal that is closed may send several. Where SIGHUP is ignored, as under nohup, it
    stays ignored.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)

    def first() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        log.info("stopping; a second signal stops it at once")
        last_resort = threading.Timer(STOP_S, os._exit, [0])
        last_resort.daemon = True  # it is gone when the process ends by itself
        last_resort.start()
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, first)
    return stop


@asynccontextmanager
async def _listener(settings: Settings, make: Callable[[], asyncio.Protocol]) -> AsyncGenerator[asyncio.Server]:
    """The server's addresses, taken before anything is opened, but not listening yet."""
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


def _protocol(runner: web.AppRunner, doorman: Doorman, times: Times) -> asyncio.Protocol:
    if runner.server is None:
        raise RuntimeError("nothing is served yet, or any more")
    return HttpProtocol(
        runner.server,
        doorman,
        loop=asyncio.get_running_loop(),
        auto_decompress=False,  # no encoding is taken; to undo a false one fails outside of our handlers
        keepalive_timeout=times.idle,
        lingering_time=times.lingering,
    )


def _cant_listen(settings: Settings, error: OSError | UnicodeError) -> str:
    where = f"port {settings.port} at {settings.host}"
    not_here = (
        f"{named('host')} is no address of this machine; 127.0.0.1 is for itself alone, 0.0.0.0 for all others too."
    )
    match error:
        case socket.gaierror() | UnicodeError():  # the latter for what no name can be
            return not_here
        case OSError(errno=errno.EADDRINUSE):
            return f"{named('port')}: {where} is in use; stop what runs there, or choose another port."
        case OSError(errno=errno.EACCES):
            return f"{named('port')}: {where} needs rights that this user lacks; choose one above 1023."
        case OSError(errno=errno.EADDRNOTAVAIL):
            return not_here
        case _:
            return f"{named('host')}, {named('port')}: {where} can't be listened on: {error}."
