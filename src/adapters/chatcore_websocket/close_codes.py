"""Close codes of websockets: RFC 6455, section 7.4.1, and the IANA registry of close codes."""

from collections.abc import Mapping

from chatcore.ports.pushes import ByeCode

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011
TRY_AGAIN = 1013

CLOSE_CODES: Mapping[ByeCode, int] = {
    "slow": TRY_AGAIN,
    "shutdown": GOING_AWAY,
    "expired": GOING_AWAY,
    "signed_out": NORMAL,
    "kicked": NORMAL,
    "protocol": PROTOCOL_ERROR,
}
"""The close code that follows each `bye`."""
