"""The faults of a Chat in a host's program, and of what hosts plug in, for `table.FAULTS`."""

from .table import Fault

DECIDER = "src/chatcore/domain/rooms.py"
MEMBERS_MAX = "tests/integration/test_serve_members_max.py"

MARKING = "src/chatcore/live/marking.py"
MARKERS = "tests/unit/live/test_markers.py"
CANONICAL = "tests/unit/test_canonical.py"

FAULTS = (
    Fault(
        "a-canonical-that-raises-escapes",
        "src/chatcore/commands/dispatch.py",
        '            log.exception("canonical failed")\n            raise Internal from None',
        "            raise",
        CANONICAL,
    ),
    Fault(
        "a-canonical-that-raises-for-a-refused-command-ends-the-socket",
        "src/chatcore/socket.py",
        "        except Internal as failed:\n            room, error = None, failed\n",
        "        except KeyError:\n            room = None\n",
        f"{CANONICAL}::test_canonical_that_raises_is_answered_internal_and_the_socket_goes_on",
    ),
    Fault(
        "an-unchanged-marker-is-pushed-to-others",
        MARKING,
        "        everyone = self._is_news(marker) and moved.everyone\n",
        "        everyone = moved.everyone\n",
        f"{MARKERS}::test_mark_that_moves_nothing_is_pushed_to_own_sockets_alone",
    ),
    Fault(
        "a-marker-that-was-never-pushed-counts-as-unknown-to-others",
        "src/chatcore/commands/marking.py",
        "            context.hub.marks(user, view)\n",
        "",
        f"{MARKERS}::test_first_mark_of_muted_alone_is_not_pushed_to_others",
    ),
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
