"""What bounds the answers of all commands that read."""

from ...domain import permissions
from ...domain.texts import compact_json
from ...errors import NotFound
from ...ids import Seq
from ...protocol import Object, error_object
from .attempts import Attempt
from .logs import Log

REFUSED: Object = {"ok": False, "error": error_object(NotFound())}


ANSWER_BYTES_MAX = 512 * 1024


def size_of(answer: Object) -> int:
    """How many bytes an object has on the wire."""
    return len(compact_json(answer).encode())


def wrong_head(log: Log, attempt: Attempt, head: Seq) -> str | None:
    low, high = attempt.low.get(log.room, 0), attempt.high.get(log.room, 0)
    return None if low <= head <= min(high, log.head) else f"a head from {low} to {high} was due"


def wrong_refusal(
    log: Log, attempt: Attempt, action: permissions.Action, answer: Object, *, unborn_is_fine: bool = False
) -> str | None:
    """Whether nobody would ever have been refused so who wanted ``action`` while the node had the command."""
    for state in log.during(attempt):
        if unborn_is_fine and state.kind is None:
            continue
        refusal = permissions.refusal(action, state.kind, state.members.get(attempt.user))
        if refusal and answer["error"] == error_object(refusal):
            return None
    return "it was never to be refused so"
