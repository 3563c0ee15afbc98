"""What the tests say where there is no browser that starts."""

from pathlib import Path

import pytest

from tests.integration.browser import Chromium, NoChromiumError, check, chromium

LOADER = "chromium: error while loading shared libraries: libnss3.so: cannot open shared object file"


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_chromium_without_a_system_library_is_one_line_with_the_command_that_installs_it(tmp_path: Path) -> None:
    broken = program(tmp_path / "chromium", f"echo '{LOADER}' >&2; echo more >&2; exit 127")
    with pytest.raises(NoChromiumError) as refused:
        check(Chromium(broken))
    assert str(refused.value) == (
        f"Chromium does not start; run `apt-get install libnss3 libnspr4 libexpat1` (Debian): {LOADER}"
    )


def test_chromium_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "google-chrome", "echo Chromium 150")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium() == Chromium(found)
