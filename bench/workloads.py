"""What the load client does to each server, which numbers of it are shown, and which ratios are promised."""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen(kw_only=True)
class Workload:
    """What the load client does to every server.

    Attributes:
        what: its description in the table.
        mode: the load client's mode.
        options: the load client's options.
        users: how many accounts it needs.
        shows: which numbers the table shows: those whose name is in `NUMBERS`.
        seeded: whether the users have 50 rooms each before; they are written once, and kept for all rounds.
        stored: whether a server that stores nothing cannot do it.
        half_rate_of: the workload at half of whose median rate the pairs write.
    """

    what: str
    mode: str
    options: Mapping[str, float]
    users: int
    shows: Sequence[str]
    seeded: bool = False
    stored: bool = False
    half_rate_of: str | None = None


NUMBERS = {
    "deliveries_s": "deliveries/s",
    "messages_s": "messages/s",
    "connects_s": "connects/s",
    "pages_s": "pages/s",
    "storm_s": "s until all are ready and synced",
    "answer_p50_ms": "sent to acknowledged, p50 ms",
    "answer_p99_ms": "sent to acknowledged, p99 ms",
    "delivery_p50_ms": "sent to delivered, p50 ms",
    "delivery_p99_ms": "sent to delivered, p99 ms",
    "ready_p50_ms": "connect to ready, p50 ms",
    "ready_p99_ms": "connect to ready, p99 ms",
    "sync_p50_ms": "connect to synced, p50 ms",
    "sync_p99_ms": "connect to synced, p99 ms",
    "page_p50_ms": "page, p50 ms",
    "page_p99_ms": "page, p99 ms",
    "kib_socket": "KiB per idle socket",
    "server_us_message": "server's CPU µs per message",
    "store_us_message": "mongod's CPU µs per message",
    "server_us_connect": "server's CPU µs per connect",
    "requests_each": "requests to mongod per message or user",
    "server_core": "server's core used",
    "store_core": "mongod's core used",
    "client_core": "load client's core used",
    "refused": "refused for the moment, and repeated",
}
LATENCIES = ("answer_p50_ms", "answer_p99_ms", "delivery_p50_ms", "delivery_p99_ms")
CORES = ("server_core", "store_core", "client_core", "refused")
SPENT = ("server_us_message", "store_us_message", "requests_each", *CORES)
CONNECTED = ("connects_s", "ready_p50_ms", "ready_p99_ms", "server_us_connect", "client_core", "refused")

WORKLOADS: Mapping[str, Workload] = {
    "W1": Workload(
        what="a room of 500, 5 senders with 1 message in flight each",
        mode="room",
        options={"members": 500, "senders": 5, "window": 1},
        users=500,
        shows=("deliveries_s", *LATENCIES, *SPENT),
    ),
    "W1-one": Workload(
        what="a room of 500, 1 sender with 1 message in flight",
        mode="room",
        options={"members": 500, "senders": 1, "window": 1},
        users=500,
        shows=("deliveries_s", *LATENCIES, *SPENT),
    ),
    "W2": Workload(
        what="250 pairs, one of each sends, with 2 messages in flight",
        mode="pairs",
        options={"pairs": 250, "window": 2},
        users=500,
        shows=("messages_s", *LATENCIES, *SPENT),
    ),
    "W3": Workload(
        what="1,000 users connect, 32 at a time; ready lists 50 rooms",
        mode="connect",
        options={"users": 1000, "warm": 100, "connecting": 32, "rooms": 50},
        users=1100,
        shows=CONNECTED,
        seeded=True,
    ),
    "W3-idle": Workload(
        what="2,000 users without rooms connect, 32 at a time, and stay idle",
        mode="connect",
        options={"users": 2000, "warm": 200, "connecting": 32},
        users=2200,
        shows=("kib_socket", *CONNECTED),
    ),
    "W4-room": Workload(
        what="a room of 500, 20 messages/s by 5 senders",
        mode="room",
        options={"members": 500, "senders": 5, "rate": 20},
        users=500,
        shows=(*LATENCIES, *SPENT),
    ),
    "W4-pairs": Workload(
        what="250 pairs, 1,000 messages/s together",
        mode="pairs",
        options={"pairs": 250, "rate": 1000},
        users=500,
        shows=(*LATENCIES, *SPENT),
    ),
    "W5": Workload(
        what="after a restart 1,000 users with 50 rooms each connect at once, and sync",
        mode="storm",
        options={"users": 1000, "connecting": 64, "rooms": 50, "missed": 1},
        users=1000,
        shows=("storm_s", "ready_p50_ms", "ready_p99_ms", "sync_p50_ms", "sync_p99_ms", "requests_each", *CORES),
        seeded=True,
        stored=True,
    ),
    "W6": Workload(
        what="16 readers of pages of 50, while 250 pairs write at half the rate of W2",
        mode="pairs",
        options={"pairs": 250, "readers": 16, "preload": 60},
        users=500,
        shows=("pages_s", "page_p50_ms", "page_p99_ms", "messages_s", *LATENCIES, *CORES),
        stored=True,
        half_rate_of="W2",
    ),
}


@frozen
class Goal:
    """A ratio of medians that is promised: of ``ours`` to ``rival``, at least or at most so much."""

    workload: str
    number: str
    ours: str
    rival: str
    least: float | None = None
    most: float | None = None


GOALS = (
    Goal("W1", "deliveries_s", "chatcore-sqlite", "node-memory", least=2.5),
    Goal("W1-one", "deliveries_s", "chatcore-sqlite", "node-memory", least=1.2),
    Goal("W2", "messages_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3", "connects_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3-idle", "connects_s", "chatcore-sqlite", "node-memory", least=1.0),
    Goal("W3-idle", "kib_socket", "chatcore-sqlite", "node-memory", most=1.0),
    Goal("W4-room", "delivery_p50_ms", "chatcore-sqlite", "node-memory", most=1.2),
    Goal("W4-room", "server_core", "chatcore-sqlite", "node-memory", most=1.5),
    Goal("W4-pairs", "server_core", "chatcore-sqlite", "node-memory", most=2.5),
    Goal("W1", "deliveries_s", "chatcore-mongo", "node-mongoose", least=1.7),
    Goal("W2", "messages_s", "chatcore-mongo", "node-mongoose", least=5.0),
    Goal("W2", "messages_s", "chatcore-mongo", "node-driver", least=1.0),
    Goal("W5", "storm_s", "chatcore-mongo", "node-mongoose", most=0.7),
)
PAIRS_MORE_MS = 0.15
"""W4 in pairs: the p50 may be so much above Node's, and the disk's fdatasync."""
