"""The address of a database, a connection string: what it may be, and what of it may be shown."""

import re
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from chatcore.errors import StoreError

from .documents import Document

WRONG_FORM = (
    "The address of MongoDB must read mongodb://host:port/database or mongodb://user:password@host/database, and / : @ "
    "? % in a user or password are written as %2F %3A %40 %3F %25."
)
_CUT_BY_A_SLASH = re.compile(r"[^/]*//[^/?]*/[^?]*@")
"""A password with a bare slash: the driver would take its beginning for the host, and messages would show that."""
WRONG_OPTION = "The address of MongoDB has an option that there is not, or a value that its option can't have."

WRONG_NAME = (
    "The address of MongoDB names a database, behind the / that follows its hosts, that can't be: it has no space "
    "and none of . $ / \\ \", and 63 bytes at most; local and config are MongoDB's own."
)
_NAMED = re.compile(r"[^/]+://(?:[^/?]*@)?[^/?]*/([^?]*)")
_NOT_IN_A_NAME = re.compile(r'[\s.$/\\"\0]')
_NAME_BYTES = 63
_ITS_OWN = ("local", "config")


def hosts_of(url: str) -> str:
    """Its hosts, without what is secret in the address."""
    hosts = re.match(r"(?:[^/]+://)?(?:[^/?]*@)?([^/?]*)", url)
    return hosts[1] if hosts else ""


def client_of(url: str, options: Mapping[str, Any]) -> AsyncMongoClient[Document]:
    """Raises `StoreError` for an address that is wrong in form. What the driver says of it may hold a secret."""
    if _CUT_BY_A_SLASH.match(url):
        raise StoreError(WRONG_FORM)
    named = _NAMED.match(url)
    name = unquote(named[1]) if named else ""
    if name in _ITS_OWN or _NOT_IN_A_NAME.search(name) or len(name.encode(errors="replace")) > _NAME_BYTES:
        raise StoreError(WRONG_NAME)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # the driver would go on without an option it can't read
            return AsyncMongoClient(url, appname="chatcore", **options)
    except UserWarning as error:
        raise StoreError(WRONG_OPTION) from error
    except OSError as error:
        raise StoreError("A file that the address of MongoDB names can't be read.") from error
    except (PyMongoError, ValueError) as error:
        raise StoreError(WRONG_FORM) from error
