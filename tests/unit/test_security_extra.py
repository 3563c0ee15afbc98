"""An adapter without its extra says which one to install."""

import importlib
import sys

import pytest


@pytest.mark.parametrize("missing", ["argon2", "jwt", "precis_i18n"])
def test_an_import_without_the_extra_says_which_one_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "chatcore_security"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=r"chatcore\[server\]"):
        importlib.import_module("chatcore_security")
