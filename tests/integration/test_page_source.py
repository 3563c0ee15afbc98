"""The source of the chat page: strict types, and the size of what a browser loads."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from chatcore_web.third_party import packages
from tests.integration.javascript import NODE, install_package

WEB = Path(__file__).parents[2] / "src" / "entrypoints" / "chatcore_web"
TYPESCRIPT = "typescript@7.0.2"
BYTES_MAX = 71_000
"""Of everything that the page loads, with gzip. It is to become 45 KB."""


def test_page_passes_strict_type_checks(tmp_path: Path) -> None:
    install_package(tmp_path, TYPESCRIPT, *(f"{package.name}@{package.version}" for package in packages()))
    options = {
        "strict": True,
        "checkJs": True,
        "noEmit": True,
        "noUnusedLocals": True,
        "target": "es2024",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": ["es2024", "dom", "dom.iterable"],
        "skipLibCheck": True,
        "types": [],
        "paths": {
            "chatcore-client": [str(WEB / "chatcore-client" / "types.d.ts")],
            "preact": ["./node_modules/preact/src/index.d.ts"],
            "*": ["./node_modules/*"],
        },
    }
    config = {"compilerOptions": options, "files": [str(WEB / "page" / name) for name in ("main.js", "types.d.ts")]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config), encoding="utf-8")
    program = str(tmp_path / "node_modules" / "typescript" / "bin" / "tsc")
    ran = subprocess.run([NODE, program, "-p", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_page_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    client = ("index.js", "core.js", "store.js", "transport.js")
    parts = {
        "page": [file for file in (WEB / "page").iterdir() if file.suffix in (".html", ".css", ".js")],
        "client": [WEB / "chatcore-client" / name for name in client],
        "third party": list((WEB / "vendor").glob("*.mjs")),
    }
    sizes = {
        part: sum(len(gzip.compress(file.read_bytes(), 9, mtime=0)) for file in files) for part, files in parts.items()
    }
    with capsys.disabled():
        print(f"\nchat page: {sum(sizes.values()):,} bytes with gzip", sizes)
    assert sum(sizes.values()) <= BYTES_MAX
