"""The faults of a Chat in a host's program, and of what hosts plug in, for `table.FAULTS`."""

from .table import Fault

DECIDER = "src/chatcore/domain/rooms.py"
MEMBERS_MAX = "tests/integration/test_serve_members_max.py"

FAULTS = (
    Fault(
        "room-create-ignores-members-max",
        DECIDER,
        "        case Opened() if opens and len(opens.members) > members_max:",
        "        case Opened() if False:",
        MEMBERS_MAX,
    ),
    Fault(
        "joining-ignores-members-max",
        DECIDER,
        "        case Joined() if state.count() >= members_max:",
        "        case Joined() if False:",
        MEMBERS_MAX,
    ),
    Fault(
        "the-server-ignores-its-setting-members-max",
        "src/entrypoints/chatcore_server/bootstrap.py",
        "    rules = Rules(members_max=settings.room_members_max)",
        "    rules = Rules()",
        MEMBERS_MAX,
    ),
)
