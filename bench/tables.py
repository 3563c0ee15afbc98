"""The results of a comparison as text: medians with the lowest and highest of the rounds, and ratios."""

from collections.abc import Mapping, Sequence
from statistics import median

from .workloads import GOALS, NUMBERS, PAIRS_MORE_MS, WORKLOADS

Result = dict[str, float]
Results = Mapping[tuple[str, str], Mapping[int, Result]]
"""The results by workload and server, and by round."""


def number_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def middle(results: Mapping[int, Result], number: str) -> float:
    return median(result[number] for result in results.values())


def cell(results: Sequence[Result], number: str) -> str:
    values = [result[number] for result in results if number in result]
    if not any(values):
        return ""
    return f"{number_text(median(values))} ({number_text(min(values))}-{number_text(max(values))})"


def table(results: Results, names: Sequence[str], servers: Sequence[str]) -> str:
    """Medians, and in brackets the lowest and highest."""
    lines: list[str] = []
    for name in names:
        columns = [server for server in servers if (name, server) in results]
        if not columns:
            continue
        rows = [[name, *columns]]
        for number in WORKLOADS[name].shows:
            cells = [cell([*results[name, server].values()], number) for server in columns]
            if any(cells):  # a server without a store has no numbers of one
                rows.append([NUMBERS[number], *cells])
        lines += ["", f"{name}: {WORKLOADS[name].what}", *aligned(rows)]
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def ratios(results: Results, sync_ms: float) -> str:
    """Ratios of medians, with the lowest and highest of the rounds' ratios, and what was promised.

    Args:
        results: what was measured.
        sync_ms: the median of the disk's fdatasync.
    """
    rows: list[list[str]] = []
    for goal in GOALS:
        ours = results.get((goal.workload, goal.ours))
        rival = results.get((goal.workload, goal.rival))
        if not ours or not rival:
            continue
        ratio = middle(ours, goal.number) / middle(rival, goal.number)
        spread = [ours[turn][goal.number] / rival[turn][goal.number] for turn in ours.keys() & rival.keys()] or [ratio]
        reached = ratio >= goal.least if goal.least is not None else ratio <= (goal.most or 0)
        wanted = f"at least {goal.least}" if goal.least is not None else f"at most {goal.most}"
        rows.append(
            [
                f"{goal.workload} {NUMBERS[goal.number]}",
                f"{goal.ours} / {goal.rival}",
                f"{ratio:.2f} ({min(spread):.2f}-{max(spread):.2f})",
                wanted,
                "reached" if reached else "missed",
            ]
        )
    rows += pairs_latency(results, sync_ms)
    return "\n".join(["", "Ratios of medians (lowest-highest of the rounds)", *aligned(rows)]) if rows else ""


def pairs_latency(results: Results, sync_ms: float) -> list[list[str]]:
    """W4 in pairs is promised as a difference: the rival does not wait for a disk."""
    ours = results.get(("W4-pairs", "chatcore-sqlite"))
    rival = results.get(("W4-pairs", "node-memory"))
    if not ours or not rival:
        return []
    found, theirs = middle(ours, "delivery_p50_ms"), middle(rival, "delivery_p50_ms")
    most = theirs + sync_ms + PAIRS_MORE_MS
    what = f"W4-pairs {NUMBERS['delivery_p50_ms']}"
    reached = "reached" if found <= most else "missed"
    return [[what, "chatcore-sqlite - node-memory", f"{found - theirs:.3f}", f"at most {most - theirs:.3f}", reached]]
