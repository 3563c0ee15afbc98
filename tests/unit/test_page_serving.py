"""The page's files, as `chatcore_web` serves them."""

import base64
import gzip
import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chatcore.errors import NotFound
from chatcore_http import Endpoints
from chatcore_http.requests import Headers, Request
from chatcore_http.responses import Response
from chatcore_web import page_endpoints, serving, third_party

pytestmark = pytest.mark.anyio

PACKAGE = Path(serving.__file__).parent
THIRD_PARTY_BYTES = 24 * 1024
"""What the third-party modules may weigh together, each compressed."""

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(
    r"""\b(?:(?:import|export)\b[^"';()=]*?\bfrom|import)\s*["']([^"'\n]+)["']|\bimport\(\s*["']([^"']+)["']"""
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def endpoints() -> Endpoints:
    return Endpoints(page_endpoints(), prefix="")


def served_paths() -> Sequence[str]:
    return [endpoint.path for endpoint in page_endpoints()]


async def get(endpoints: Endpoints, path: str, method: str = "GET", /, **headers: str) -> Response:
    fields = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return await endpoints.answer(Request(method=method, path=path, headers=fields))


async def import_map(endpoints: Endpoints) -> Mapping[str, str]:
    page = (await get(endpoints, "/")).body.decode()
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    imports: Mapping[str, str] = json.loads(text)["imports"]
    return imports


async def test_every_file_of_page_is_served_and_nothing_else(endpoints: Endpoints) -> None:
    files = {
        path
        for folder in ("page", "chatcore-client", "vendor")
        for path in (PACKAGE / folder).rglob("*")
        if path.is_file() and path.suffix in serving.TYPES
    }
    contents = [(await get(endpoints, path)).body for path in served_paths()]
    assert sorted(contents) == sorted(path.read_bytes() for path in files)
    assert not [path for path in files if path.suffix in (".py", ".toml", ".json", ".ts", ".map")]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/page",
            "/page/",
            "/page/vendor",
            "/page/vendor/",
            "/page/index.html",
            "/index.html",
            "//",
            "/page//main.js",
        ),
        *("/page/../third_party.toml", "/page/%2e%2e/third_party.toml", "/page/..%2fthird_party.toml"),
        *("/page/vendor%2fpreact.mjs", "/page/vendor/../serving.py", "/page/chatcore-client/package.json"),
        *("/page//etc/passwd", "/page/vendor/preact.mjs%00", "/page/vendor/preact.mjs/", "/PAGE/vendor/preact.mjs"),
    ],
)
async def test_path_that_is_no_file_of_page_is_not_found(endpoints: Endpoints, path: str) -> None:
    with pytest.raises(NotFound):
        await get(endpoints, path)


async def test_only_get_and_head_are_allowed(endpoints: Endpoints) -> None:
    for path in ("/", "/page/vendor/preact.mjs"):
        refused = await get(endpoints, path, "POST")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
        assert (await get(endpoints, path, "HEAD")).headers == (await get(endpoints, path)).headers


async def test_every_file_has_its_type_and_may_be_kept_until_it_changes(endpoints: Endpoints) -> None:
    types = set()
    for path in served_paths():
        headers = (await get(endpoints, path)).headers
        types.add((posixpath.splitext(path)[1], headers["Content-Type"]))
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Vary"] == "Origin, Accept-Encoding"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert types >= {
        ("", "text/html; charset=utf-8"),
        (".css", "text/css; charset=utf-8"),
        (".js", "text/javascript; charset=utf-8"),
        (".mjs", "text/javascript; charset=utf-8"),
        (".txt", "text/plain; charset=utf-8"),
    }


async def test_client_that_has_a_file_gets_it_only_when_it_has_changed(endpoints: Endpoints) -> None:
    tags = set()
    for path in served_paths():
        for coding in ("gzip", "identity"):
            full = await get(endpoints, path, Accept_Encoding=coding)
            tag = full.headers["ETag"]
            tags.add((tag, full.body))
            for kept in (tag, f"W/{tag}", f'"another", {tag}', "*"):
                answer = await get(endpoints, path, Accept_Encoding=coding, If_None_Match=kept)
                assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
                assert "Content-Type" not in answer.headers
                assert answer.headers.get("Content-Security-Policy") == full.headers.get("Content-Security-Policy")
            assert (await get(endpoints, path, Accept_Encoding=coding, If_None_Match='"another"')).status == 200
    assert len({tag for tag, _ in tags}) == len({body for _, body in tags})


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        *(
            (accepted, True)
            for accepted in ("gzip", "GZIP", "br, gzip", "*", "gzip;q=0.5", "gzip; q=1", "br;q=1,*;q=0.1")
        ),
        *(
            (accepted, False)
            for accepted in ("", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=1, gzip;q=0", "gzipped")
        ),
    ],
)
async def test_file_is_compressed_for_clients_that_take_gzip(
    endpoints: Endpoints, accepted: str, is_compressed: bool
) -> None:
    path = "/page/vendor/preact.mjs"
    answer, plain = await get(endpoints, path, Accept_Encoding=accepted), await get(endpoints, path)
    assert (answer.headers.get("Content-Encoding") == "gzip") is is_compressed
    assert (gzip.decompress(answer.body) if is_compressed else answer.body) == plain.body
    assert (answer.headers["ETag"] != plain.headers["ETag"]) is is_compressed


async def test_document_allows_only_the_modules_of_this_server_and_its_import_map(endpoints: Endpoints) -> None:
    answer = await get(endpoints, "/")
    page = answer.body.decode()
    rules = {
        name: value
        for rule in answer.headers["Content-Security-Policy"].split("; ")
        for name, _, value in [rule.partition(" ")]
    }
    (import_map,) = re.findall(r"<script type=\"importmap\">(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'self' 'sha256-{digest}'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    inline = re.findall(r"<script(?![^>]* src=)[^>]*>", page)
    assert inline == ['<script type="importmap">']
    assert not re.findall(r"<style|\sstyle=|\son\w+=", page)


async def test_addresses_in_the_document_are_relative_and_served(endpoints: Endpoints) -> None:
    page = (await get(endpoints, "/")).body.decode()
    addresses = [found for found in re.findall(r'(?:src|href)="([^"]*)"', page) if not found.startswith("data:")]
    assert addresses
    assert {f"/{address}" for address in addresses} <= set(served_paths())


async def test_import_map_names_every_third_party_module_and_the_client(endpoints: Endpoints) -> None:
    imports = await import_map(endpoints)
    assert set(imports) >= {"preact", "preact/hooks", "@preact/signals", "htm", "socket.io-client", "chatcore-client"}
    assert all(address.startswith("./page/") for address in imports.values())
    paths = {address.removeprefix(".") for address in imports.values()}
    assert paths <= set(served_paths())
    assert {path for path in served_paths() if path.endswith(".mjs")} <= paths


async def test_modules_import_only_what_is_served(endpoints: Endpoints) -> None:
    imports = await import_map(endpoints)
    unknown = []
    for path in served_paths():
        if path.endswith((".js", ".mjs")):
            code = _COMMENT.sub("", (await get(endpoints, path)).body.decode())
            for name in (found[1] or found[2] for found in _IMPORT.finditer(code)):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
                is_for_node = name.startswith("node:")
                if not (is_for_node or (target in served_paths() if name.startswith(".") else name in imports)):
                    unknown.append(f"{path} imports {name}")
    assert unknown == []


async def test_third_party_modules_are_small(endpoints: Endpoints) -> None:
    modules = [path for path in served_paths() if path.endswith(".mjs")]
    sizes = {path: len((await get(endpoints, path, Accept_Encoding="gzip")).body) for path in modules}
    assert sum(sizes.values()) <= THIRD_PARTY_BYTES, sizes


@pytest.mark.parametrize("is_clone", [True, False])
async def test_changed_file_is_read_again_in_a_clone_only(
    is_clone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text('<script type="importmap">{}</script>')
    monkeypatch.setattr(serving, "HERE", tmp_path)
    monkeypatch.setattr(serving, "INDEX", folder / "index.html")
    monkeypatch.setattr(serving, "_IS_CLONE", is_clone)
    endpoints = Endpoints(page_endpoints(), prefix="")
    before = await get(endpoints, "/")
    (folder / "index.html").write_text('<script type="importmap">{"imports": {}}</script>')
    after = await get(endpoints, "/")
    assert (after.body != before.body) is is_clone
    assert (after.headers["ETag"] != before.headers["ETag"]) is is_clone
    assert (after.headers["Content-Security-Policy"] != before.headers["Content-Security-Policy"]) is is_clone
    (folder / "index.html").unlink()  # as while an editor writes it
    assert (await get(endpoints, "/")).body == after.body


async def test_package_of_which_a_file_was_changed_or_removed_is_missing(tmp_path: Path) -> None:
    packages = third_party.packages()
    assert third_party.missing(packages, third_party.VENDOR) == []
    assert third_party.missing(packages, tmp_path) == packages
    for path in third_party.VENDOR.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "htm.mjs").write_bytes(b"")
    (tmp_path / "preact.LICENSE.txt").unlink()
    assert [package.name for package in third_party.missing(packages, tmp_path)] == ["preact", "htm"]


async def test_every_third_party_package_comes_with_its_licence() -> None:
    for package in third_party.packages():
        (licence,) = (file for file in package.files if file.path == "LICENSE")
        assert "Permission is hereby granted" in (text := (third_party.VENDOR / licence.kept_as).read_text()) or (
            "Apache License" in text
        )
    assert sorted(third_party.names(third_party.packages())) == sorted(
        path.name for path in third_party.VENDOR.iterdir()
    )
