"""What MongoDB's and its driver's errors mean to the domain: the one table in which they are translated."""

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

from chatcore.errors import Unavailable

TEMPORARY = (
    ConnectionFailure,  # no connection, no primary, none to be had in time from a full pool
    NetworkTimeout,
    ExecutionTimeout,
    CursorNotFound,
    WriteConcernError,  # written or not: unknown
    InvalidOperation,  # of a client that was closed meanwhile
)
"""Errors that say nothing about what was asked: the same may succeed later."""

CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        11,  # UserNotFound: accounts of the database are being changed
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
        175,  # QueryPlanKilled: an index was made or dropped meanwhile
        189,  # PrimarySteppedDown
        202,  # NetworkInterfaceExceededTimeLimit
        246,  # SnapshotUnavailable: a collection was made a moment ago
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
"""Codes of an `OperationFailure` that say as little."""

DUPLICATE = 11_000


def is_temporary(error: BaseException) -> bool:
    match error:
        case BulkWriteError(details=details):
            return bool(details and details.get("writeConcernErrors"))
        case OperationFailure(code=code) if code in CODES:
            return True
        case PyMongoError():
            return isinstance(error, TEMPORARY)
        case _:
            return False


@contextmanager
def translated() -> Generator[None]:
    """`Unavailable` for a temporary fault, with the fault as its cause; any other error as it is."""
    try:
        yield
    except PyMongoError as error:
        if is_temporary(error):
            raise Unavailable from error
        raise
