"""Why a database can't be opened."""

from types import TracebackType

from pymongo.errors import OperationFailure, PyMongoError

from chatcore.errors import StoreError

from .faults import DUPLICATE


class Explained:
    """Tells the operator why a database can't be opened, in one line without the address's secrets."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, PyMongoError):
            raise StoreError(f"MongoDB at {self._where} can't be opened: {_one_line(error)}.") from error


def _one_line(error: PyMongoError) -> str:
    """What the server says of it in its own words may hold values of documents: its name for the code does not."""
    match error:
        case OperationFailure(code=13 | 18):
            return "authentication failed"
        case OperationFailure(code=code, details=details) if code is not None:
            name = (details or {}).get("codeName")
            said = f"code {code}, {name}" if name else f"code {code}"
            if code == DUPLICATE:
                return f"entries contradict each other ({said}); restore a backup"
            return f"the server refused ({said})"
        case _:
            return "no server that accepts writes answered; check replicaSet, tls and the other options of the address"
