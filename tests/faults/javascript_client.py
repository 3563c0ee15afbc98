"""Faults in the JavaScript client."""

from collections.abc import Mapping, Sequence

from .fault import Fault

CORE = "chatcore_web/chatcore-client/core.js"
SHELL = "chatcore_web/chatcore-client/index.js"
TRANSCRIPTS = "tests/integration/test_transcripts_javascript.py"
UNITS = "tests/integration/test_javascript_package.py::test_units_pass"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "The JavaScript client loses no message that is sent": (
        Fault("javascript-message-sent-before-stored", f"{CORE}:store", "storing: true", "storing: false", UNITS),
        Fault("javascript-failure-of-store-loses-message", f"{SHELL}:shell.tried", "} catch {}", "} finally {}", UNITS),
        Fault(
            "javascript-full-indexeddb-loses-message",
            "chatcore_web/chatcore-client/store.js:browserStore.put",
            ".catch(() => memory.put(item))",
            ".catch(() => {})",
            UNITS,
        ),
        Fault(
            "javascript-temporary-error-is-final",
            f"{CORE}:flush",
            "error?.temporary && !lane.once",
            "false",
            TRANSCRIPTS,
        ),
        Fault(
            "javascript-dead-connection-kept",
            f"{SHELL}:shell.send",
            "shell.wait(10_000, shell.broke)",
            "shell.wait(10_000, () => {})",
            TRANSCRIPTS,
        ),
    ),
    "The JavaScript client doubles no message": (
        Fault(
            "javascript-message-repeated-with-another-key",
            f"{CORE}:due",
            "return [event, data, done,",
            "return [event, { ...data, ...(data.key && { key: newKey() }) }, done,",
            TRANSCRIPTS,
        ),
        Fault(
            "javascript-answered-message-stays-in-store",
            f"{CORE}:due",
            "remove(data.key);",
            "",
            TRANSCRIPTS,
        ),
        Fault("javascript-entry-applied-twice", f"{CORE}:entry", "else if (seq > log.seq)", "else", UNITS),
        Fault("javascript-entry-of-sent-message-not-matched", f"{CORE}:took", "author === user", "false", TRANSCRIPTS),
    ),
    "The JavaScript client shows all in order": (
        Fault(
            "javascript-pushes-before-sync-applied", f"{CORE}:core.pushed", "stale.has(body.room)", "false", TRANSCRIPTS
        ),
        Fault("javascript-gap-not-noted", f"{CORE}:advance", "seq > log.seq", "false", TRANSCRIPTS),
        Fault("javascript-older-edit-applied", f"{CORE}:messages", "seq > one.asOf", "seq > 0", TRANSCRIPTS),
    ),
    "The JavaScript client sends a user's messages as that user alone": (
        Fault("javascript-messages-of-other-user-sent", f"{CORE}:ready", "=== user);", "!== null);", TRANSCRIPTS),
        Fault("javascript-private-room-by-order-of-users", f"{CORE}:idWith", ".sort()", "", UNITS),
    ),
    "The JavaScript client does not flood a server": (
        Fault("javascript-refused-token-tried-at-once", f"{SHELL}:shell.refused", "|| again", "", TRANSCRIPTS),
        Fault(
            "javascript-session-ignores-retry-after",
            "chatcore_web/chatcore-client/session.js:post",
            "status !== 429 && status !== 503",
            "true",
            UNITS,
        ),
    ),
    "Live values of the JavaScript client fit useSyncExternalStore": (
        Fault(
            "javascript-snapshot-differs-without-change",
            f"{SHELL}:shell.live",
            "now.some((one, i) => one !== value[i])",
            "true",
            UNITS,
        ),
        Fault("javascript-listener-stops-others", f"{SHELL}:shell.live", "console.error(error)", "throw error", UNITS),
    ),
}
