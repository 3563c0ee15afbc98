"""The translation of errors of MongoDB and its driver, with the table of temporary faults."""

from collections.abc import Generator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    CursorNotFound,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from chatcore.errors import StoreError, Unavailable

TEMPORARY = (
    ConnectionFailure,  # no connection, no primary, or the pool had no connection in time
    NetworkTimeout,
    ExecutionTimeout,
    CursorNotFound,
    WriteConcernError,  # whether the write happened is unknown
    InvalidOperation,  # the client was closed meanwhile
)
"""Errors after which the same call may succeed later."""

TEMPORARY_CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        11,  # UserNotFound: the database's users are being changed
        13,  # Unauthorized
        18,  # AuthenticationFailed
        24,  # LockTimeout
        50,  # MaxTimeMSExpired
        64,  # WriteConcernFailed
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference
        134,  # ReadConcernMajorityNotAvailableYet
        175,  # QueryPlanKilled: an index was created or dropped meanwhile
        189,  # PrimarySteppedDown
        202,  # NetworkInterfaceExceededTimeLimit
        246,  # SnapshotUnavailable: a collection was created a moment ago
        262,  # ExceededTimeLimit
        290,  # TransactionExceededLifetimeLimitSeconds
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11601,  # Interrupted
        11602,  # InterruptedDueToReplStateChange
        13388,  # StaleConfig
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
        14031,  # OutOfDiskSpace
    }
)
"""Codes of an `OperationFailure` after which the same call may succeed later."""

AUTHENTICATION_CODES = (13, 18)
DUPLICATE_KEY = 11_000


def is_temporary(error: PyMongoError) -> bool:
    """Return whether the same call may succeed later."""
    match error:
        case BulkWriteError(details=details):
            return bool(details and details.get("writeConcernErrors"))
        case OperationFailure(code=code) if code in TEMPORARY_CODES:
            return True
        case _:
            return isinstance(error, TEMPORARY)


@contextmanager
def temporary_as_unavailable() -> Generator[None]:
    """Turn a temporary error of the driver into `Unavailable`. Any other error passes unchanged."""
    try:
        yield
    except PyMongoError as error:
        if is_temporary(error):
            raise Unavailable from error
        raise


@contextmanager
def opening_as_store_error(where: str) -> Generator[None]:
    """Turn any error of the driver while a database is opened into a `StoreError`, one line for the operator.

    Args:
        where: the database's hosts, without secrets.
    """
    try:
        yield
    except PyMongoError as error:
        raise StoreError(f"MongoDB at {where} can't be opened: {_reason(error)}.") from error


def _reason(error: PyMongoError) -> str:
    """Return why opening failed.

    The server's message may hold values of documents, so the reason has only the name of the error code.
    """
    match error:
        case OperationFailure(code=code) if code in AUTHENTICATION_CODES:
            return "authentication failed"
        case OperationFailure(code=code, details=details) if code is not None:
            name = (details or {}).get("codeName")
            code_and_name = f"code {code}, {name}" if name else f"code {code}"
            if code == DUPLICATE_KEY:
                return f"entries contradict each other ({code_and_name}); restore a backup"
            return f"the server refused ({code_and_name})"
        case _:
            return "no server that accepts writes answered; check replicaSet, tls and the other options of the address"
