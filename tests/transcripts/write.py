"""Write the JSON files of the suite from the stories: ``python -m tests.transcripts.write``."""

import json
from collections.abc import Mapping
from pathlib import Path

from .stories import changes, commands, connection, history, live, resume, rooms, sending, store
from .story import Chapter, Object

FOLDER = Path(__file__).parent
CHAPTERS: Mapping[str, Chapter] = {
    "connection": connection.CHAPTER,
    "rooms": rooms.CHAPTER,
    "resume": resume.CHAPTER,
    "history": history.CHAPTER,
    "changes": changes.CHAPTER,
    "sending": sending.CHAPTER,
    "store": store.CHAPTER,
    "commands": commands.CHAPTER,
    "live": live.CHAPTER,
}


def text_of(chapter: Chapter) -> str:
    """Return the JSON of a file: one step a line."""
    return "[\n" + ",\n".join(_transcript(document) for document in chapter.documents()) + "\n]\n"


def _transcript(document: Object) -> str:
    lines = [f"  {_line(name)}: {_line(value)}" for name, value in document.items() if name != "steps"]
    steps = ",\n".join(f"    {_line(step)}" for step in document["steps"])
    return "{\n" + ",\n".join([*lines, f'  "steps": [\n{steps}\n  ]']) + "\n}"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    for name, chapter in CHAPTERS.items():
        (FOLDER / f"{name}.json").write_text(text_of(chapter), encoding="utf-8")


if __name__ == "__main__":
    main()
