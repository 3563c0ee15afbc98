"""Play the suite to the harness of a client: ``python -m tests.transcripts.run [--only NAME] PROGRAM ARGUMENTS…``."""

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .matching import Difference
from .referee import Harness, play
from .story import Object

FOLDER = Path(__file__).parent


def transcripts() -> Sequence[tuple[str, Object]]:
    """Return all transcripts, each with the stem of its file."""
    files = sorted(FOLDER.glob("*.json"))
    return [(file.stem, each) for file in files for each in json.loads(file.read_text(encoding="utf-8"))]


@contextmanager
def harness_of(command: Sequence[str]) -> Generator[Harness]:
    """The harness that a program is, which answers line by line."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin
        assert process.stdout
        lines, answers = process.stdin, process.stdout

        def ask(line: Object) -> Object:
            lines.write(f"{json.dumps(line)}\n")
            lines.flush()
            if not (answer := answers.readline()):
                raise Difference(f"the harness has ended at {line}")
            found: Object = json.loads(answer)
            return found

        try:
            yield ask
        finally:
            process.kill()


def main(arguments: Sequence[str]) -> int:
    only, command = (arguments[1], arguments[2:]) if arguments[:1] == ["--only"] else (None, arguments)
    chosen = [each for _, each in transcripts() if only in (None, each["name"])]
    failed = 0
    with harness_of(command) as harness:
        for transcript in chosen:
            try:
                play(transcript, harness)
            except Difference as difference:
                failed += 1
                print(f"{difference}\n")
    print(f"{len(chosen) - failed} of {len(chosen)} transcripts passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
