"""The npm package of the JavaScript client: its size, its types, its installation, and what needs no server."""

import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chatcore.ids import private_room_id
from tests.integration.javascript import HERE, NODE, NODE_18, install_node_18, install_package
from tests.integration.javascript_client import PACKAGE, install_client

TYPESCRIPT = "typescript@7.0.2"
BYTES_MAX = 10_600
"""Bytes that `import "chatcore-client"` loads, compressed with gzip and beside socket.io-client."""

PROGRAM = """
import { browserStore, connect, memoryStore, SignedOut } from "chatcore-client";
import type { Client, Message, Room, Store } from "chatcore-client";
import { session } from "chatcore-client/session";

const store: Store = Math.random() > 0.5 ? memoryStore() : browserStore("alice");
const client: Client = connect({ url: ".", token: session({ url: ".", user: "alice", password: "secret" }), store });
const room: Room = client.room({ with: "bob" });
const end: () => void = room.messages.subscribe(() => {
  const messages: readonly Message[] = room.messages.snapshot();
  for (const { state, seq, body } of messages) if (state === "sent") console.log(seq, body);
});
const left: boolean = await room.more({ until: 1 });
const seq: number | undefined = await room.send("hi", { reply_to: 1 }).done;
await client.call("room.create", { kind: "group" }).catch((error: unknown) => console.log(error instanceof SignedOut));
// @ts-expect-error: a room is named
client.room({});
console.log(end, left, seq);
"""
PAIRS = [
    *[("alice", "bob"), ("bob", "alice"), ("alice", "alice"), ("a-b", "a.b_c"), ("a", "a b"), ("Zoë", "zoe")],
    *[("\U00010330", "\ufb01"), ("~41", "A"), ("z", "é"), ("-", "0"), ("__proto__", "日本語")],
]


@pytest.fixture(scope="module")
def folder(node_modules: Path) -> Path:
    return install_client(node_modules)


def modules(name: str) -> set[str]:
    """Return the modules of the package that a module loads, itself among them."""
    found, waiting = set[str](), [name]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += re.findall(r'from "\./([\w.]+)";$', (PACKAGE / file).read_text(encoding="utf-8"), re.MULTILINE)
    return found


def run(*command: str, folder: Path, **environment: str) -> str:
    """Return what a program has printed. Its exit code must be 0."""
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_client_is_small(capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(modules("index.js"))
    sizes = {file: len(gzip.compress((PACKAGE / file).read_bytes(), 9, mtime=0)) for file in files}
    with capsys.disabled():
        print(f"\nchatcore-client: {sum(sizes.values()):,} bytes with gzip", sizes)
    assert files == ["core.js", "index.js", "store.js", "transport.js"]
    assert sum(sizes.values()) <= BYTES_MAX


def test_units_pass(folder: Path) -> None:
    """Live values, ids of rooms, stores in IndexedDB and in memory, and the waits of a session."""
    program = folder / "units.mjs"
    program.write_bytes((HERE / "units.mjs").read_bytes())
    rooms = json.dumps([(user, peer, private_room_id(user, peer)) for user, peer in PAIRS])
    run(NODE, str(program), folder=folder, PRIVATE_ROOMS=rooms)


def test_client_and_program_on_it_pass_strict_type_checks(folder: Path, tmp_path: Path) -> None:
    install_package(tmp_path, TYPESCRIPT)
    (folder / "program.mts").write_text(PROGRAM, encoding="utf-8")
    shutil.copytree(PACKAGE, folder / "client", dirs_exist_ok=True)  # what is in node_modules is not checked
    options = {
        "strict": True,
        "checkJs": True,
        "noEmit": True,
        "noUnusedLocals": True,
        "target": "es2022",
        "module": "nodenext",
        "lib": ["es2023", "dom", "dom.iterable"],
        "types": [],
    }
    config = {"compilerOptions": options, "files": ["program.mts", "client/index.js", "client/session.js"]}
    (folder / "tsconfig.json").write_text(json.dumps(config), encoding="utf-8")
    run(NODE, str(tmp_path / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".", folder=folder)


def test_types_name_what_the_package_exports(folder: Path) -> None:
    program = "import * as all from 'chatcore-client'; console.log(JSON.stringify(Object.keys(all)))"
    exported = json.loads(run(NODE, "--input-type=module", "--eval", program, folder=folder))
    types = (PACKAGE / "types.d.ts").read_text(encoding="utf-8")
    assert sorted(exported) == sorted(re.findall(r"^export declare (?:const|class) (\w+)", types, re.MULTILINE))


def test_client_runs_on_node_18(folder: Path, tmp_path: Path) -> None:
    node = install_node_18(tmp_path)
    assert run(node, "--version", folder=folder).strip() == f"v{NODE_18.rpartition('@')[2]}"
    program = folder / "units.mjs"
    program.write_bytes((HERE / "units.mjs").read_bytes())
    run(node, str(program), folder=folder, PRIVATE_ROOMS="[]")
