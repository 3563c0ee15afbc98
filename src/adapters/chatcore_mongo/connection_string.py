"""MongoDB connection strings: their validation, their client, and the part of them that may be shown."""

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
WRONG_OPTION = "The address of MongoDB has an unknown option, or an option with an invalid value."
WRONG_NAME = (
    "The address of MongoDB names a database, behind the / that follows its hosts, that MongoDB does not allow: a name "
    "has at most 63 bytes, no space and none of . $ / \\ \"; local and config are MongoDB's own."
)

_HOSTS = re.compile(r"(?:[^/]+://)?(?:[^/?]*@)?([^/?]*)")
_DATABASE = re.compile(r"[^/]+://(?:[^/?]*@)?[^/?]*/([^?]*)")
_UNESCAPED_SLASH = re.compile(r"[^/]*//[^/?]*/[^?]*@")
"""A password with a bare slash. The driver would take its beginning for the host, and show it in messages."""

_NAME_BYTES_MAX = 63
_NOT_IN_A_NAME = re.compile(r'[\s.$/\\"\0]')
_RESERVED_NAMES = ("local", "config")


def hosts_of(url: str) -> str:
    """Return the hosts of a connection string, the part without secrets."""
    hosts = _HOSTS.match(url)
    return hosts[1] if hosts else ""


def client_for(url: str, options: Mapping[str, Any]) -> AsyncMongoClient[Document]:
    """Return a client that is not connected yet.

    Args:
        url: the connection string.
        options: further arguments of `pymongo.AsyncMongoClient`.

    Raises:
        StoreError: the connection string is invalid. The error quotes no part of it, which may be a secret.
    """
    if _UNESCAPED_SLASH.match(url):
        raise StoreError(WRONG_FORM)
    database = _DATABASE.match(url)
    name = unquote(database[1]) if database else ""
    if name in _RESERVED_NAMES or _NOT_IN_A_NAME.search(name) or len(name.encode(errors="replace")) > _NAME_BYTES_MAX:
        raise StoreError(WRONG_NAME)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # the driver would ignore an option that it can't read
            return AsyncMongoClient(url, appname="chatcore", **options)
    except UserWarning as error:
        raise StoreError(WRONG_OPTION) from error
    except OSError as error:
        raise StoreError("A file that the address of MongoDB names can't be read.") from error
    except (PyMongoError, ValueError) as error:
        raise StoreError(WRONG_FORM) from error
