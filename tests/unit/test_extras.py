"""An adapter without its extra says which one to install."""

import importlib
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
def test_an_import_without_the_extra_says_which_one_to_install(
    adapter: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == adapter]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {missing};.* pip install '\.\[{extra}\]'$"):
        importlib.import_module(adapter)
