"""The error of a package without its extra names the extra."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("adapter", "name", "missing", "extra"),
    [
        ("chatcore_security", "Argon2Hasher", "argon2", "accounts"),
        ("chatcore_security", "JwtTokens", "jwt", "accounts"),
        ("chatcore_security", "canonical_username", "precis_i18n", "accounts"),
        ("chatcore_security", "bearer", "jwt", "jwt"),
        ("chatcore_limits", "MemoryRateLimiter", "limits", "accounts"),
        ("chatcore_mongo", "MongoStore", "pymongo", "mongo"),
        ("chatcore_http", "HttpApi", "orjson", "asgi"),
        ("chatcore_aiohttp", "mount", "aiohttp", "aiohttp"),
        ("chatcore_client", "connect", "aiohttp", "client"),
        ("chatcore_client", "connect", "socketio", "client"),
        ("chatcore_asgi", "ChatApp", "orjson", "asgi"),
        ("chatcore_socketio", "SocketioServer", "socketio", "socketio"),
    ],
)
def test_import_without_the_extra_names_the_extra_to_install(
    adapter: str, name: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.startswith("chatcore_")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {missing};.* pip install '\.\[{extra}\]'$"):
        getattr(importlib.import_module(adapter), name)


OF_THE_SERVER = (
    "argon2",
    "cyclopts",
    "dotenv",
    "jwt",
    "limits",
    "precis_i18n",
    "pymongo",
    "rich",
    "structlog",
    "uvloop",
)


@pytest.mark.parametrize(
    ("imported", "missing"),
    [
        ("from chatcore_aiohttp import mount", OF_THE_SERVER),
        ("from chatcore_asgi import ChatApp", (*OF_THE_SERVER, "aiohttp")),
        ("from chatcore_client import connect", (*OF_THE_SERVER, "orjson")),
        ("from chatcore_socketio import SocketioServer", (*OF_THE_SERVER, "aiohttp")),
    ],
)
def test_host_needs_nothing_of_the_server(imported: str, missing: tuple[str, ...]) -> None:
    program = f"import sys; sys.modules.update(dict.fromkeys({missing})); {imported}"
    subprocess.run([sys.executable, "-c", program], check=True)


WITH_PYJWT_ALONE = """
import sys

sys.modules.update(dict.fromkeys(("argon2", "cryptography", "precis_i18n")))
from chatcore_security import bearer

assert bearer(key="x" * 32, algorithms=["HS256"], audience=None, issuer=None)
try:
    bearer(key="x" * 32, algorithms=["EdDSA"], audience=None, issuer=None)
except ModuleNotFoundError as error:
    print(error)
"""


def test_bearer_without_its_extra_has_shared_secrets_and_says_what_else_to_install() -> None:
    run = subprocess.run([sys.executable, "-c", WITH_PYJWT_ALONE], capture_output=True, text=True, check=True)
    assert run.stdout == "EdDSA needs cryptography; in a clone of chatcore: pip install '.[jwt]'\n"


WITHOUT_TESTING = """
import sys

sys.modules.update(dict.fromkeys(("hypothesis", "pytest", "trio")))
from chatcore.testing import Recorder, virtual_time
from chatcore.testing.simulation import simulate
from chatcore_memory import MemoryRegistry, MemoryStore

assert simulate(1, MemoryStore, MemoryRegistry, commands=1).violations == ()
assert Recorder and virtual_time("asyncio")
for needs_extra in ("from chatcore.testing import StoreContract", "virtual_time('trio')"):
    try:
        exec(needs_extra)
    except ModuleNotFoundError as error:
        print(error)
"""


def test_testing_without_its_extra_has_the_simulation_and_names_the_extra() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_TESTING], capture_output=True, text=True, check=True)
    install = "in a clone of chatcore: pip install '.[testing]'"
    assert run.stdout.splitlines() == [
        f"chatcore.testing.StoreContract needs pytest; {install}",
        f"virtual time on trio needs trio; {install}",
    ]
