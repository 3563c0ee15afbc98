"""The error of a package without its extra names the extra."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("adapter", "missing", "extra"),
    [
        ("chatcore_security", "argon2", "server"),
        ("chatcore_security", "jwt", "server"),
        ("chatcore_security", "precis_i18n", "server"),
        ("chatcore_limits", "limits", "server"),
        ("chatcore_mongo", "pymongo", "mongo"),
    ],
)
def test_import_without_the_extra_names_the_extra_to_install(
    adapter: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == adapter]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {missing};.* pip install '\.\[{extra}\]'$"):
        importlib.import_module(adapter)


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
