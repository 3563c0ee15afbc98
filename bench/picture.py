"""Draw the results of a comparison as an SVG picture.

    python -m bench.picture RESULTS.json docs/performance.svg

A bar is a server's median, the line on it goes from the lowest to the highest of the rounds.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from .tables import number_text
from .workloads import NUMBERS, WORKLOADS

SHOWN = (
    ("W1", "deliveries_s"),
    ("W1-one", "deliveries_s"),
    ("W2", "messages_s"),
    ("W3-idle", "connects_s"),
    ("W5", "storm_s"),
    ("W6", "pages_s"),
)
LABELS = {
    "chatcore-sqlite": "chatcore, SQLite",
    "node-memory": "Node socket.io, nothing stored",
    "chatcore-mongo": "chatcore, MongoDB",
    "node-mongoose": "Node, mongoose",
    "node-driver": "Node, driver, group commit",
    "python-naive": "python-socketio, pymongo",
}
WIDTH, LEFT, RIGHT = 760, 210, 90
BAR, GAP, TITLE = 18, 6, 34
OURS, THEIRS = "#2563eb", "#9ca3af"

Values = Mapping[str, Sequence[float]]
"""The rounds' values by server."""


def values(results: Sequence[Mapping[str, object]], workload: str, number: str) -> Values:
    found: dict[str, list[float]] = {}
    for result in results:
        rounds = result["rounds"]
        if result["workload"] == workload and isinstance(rounds, dict):
            found[str(result["server"])] = [measured[number] for measured in rounds.values()]
    return {server: found[server] for server in LABELS if server in found}


def bars(top: int, workload: str, number: str, shown: Values) -> list[str]:
    scale = (WIDTH - LEFT - RIGHT) / max(max(rounds) for rounds in shown.values())
    title = f"{workload}: {WORKLOADS[workload].what}; {NUMBERS[number]}"
    lines = [f'<text x="8" y="{top + 22}" font-weight="bold">{escape(title)}</text>']
    for place, (server, rounds) in enumerate(shown.items()):
        y = top + TITLE + place * (BAR + GAP)
        middle, low, high = (scale * find(rounds) for find in (median, min, max))
        colour = OURS if server.startswith("chatcore") else THEIRS
        text = y + BAR - 5
        lines += [
            f'<text x="{LEFT - 8}" y="{text}" text-anchor="end">{escape(LABELS[server])}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{middle:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{LEFT + low:.1f} {y + BAR / 2}H{LEFT + high:.1f}" stroke="#111827"/>',
            f'<text x="{LEFT + high + 6:.1f}" y="{text}">{number_text(median(rounds))}</text>',
        ]
    return lines


def picture(results: Sequence[Mapping[str, object]]) -> str:
    lines: list[str] = []
    height = 8
    for workload, number in SHOWN:
        if shown := values(results, workload, number):
            lines += bars(height, workload, number, shown)
            height += TITLE + len(shown) * (BAR + GAP) + 8
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    style = 'font-family="sans-serif" font-size="13" fill="#111827"'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', ground, *lines, "</svg>", ""])


def main(source: str, target: str) -> None:
    results = json.loads(Path(source).read_text(encoding="utf-8"))["results"]
    Path(target).write_text(picture(results), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
