"""The files of the public suite are what its stories write, and every frame in them is valid by the contract."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

import jsonschema_rs
import pytest

from chatcore.protocol.pushes import PUSHES
from tests.contract_documents import asyncapi_document, message
from tests.transcripts.write import CHAPTERS, FOLDER, text_of

Json: TypeAlias = Any

UNKNOWN_TO_THE_CONTRACT = {"confetti", "room.confetti", "applause", "unheard_of", "out_of_tea"}
"""Pushes, commands, kinds and codes of transcripts about what clients do not know."""


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = {**message(name, "websocket")["payload"], "components": asyncapi_document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def transcripts() -> Iterator[tuple[str, Json]]:
    for name in CHAPTERS:
        for transcript in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")):
            yield name, transcript


ALL = [pytest.param(transcript, id=f"{file}-{transcript['name']}") for file, transcript in transcripts()]


@pytest.mark.parametrize("name", CHAPTERS)
def test_file_of_transcripts_is_what_its_stories_write(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(CHAPTERS[name])


def test_folder_has_no_other_files_of_transcripts() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(CHAPTERS)


def test_suite_has_200_transcripts_and_more_each_with_name_and_rule_of_its_own() -> None:
    names = [transcript["name"] for _, transcript in transcripts()]
    assert len(names) >= 200
    assert len(set(names)) == len(names)
    assert all(transcript["rule"].startswith("docs/") for _, transcript in transcripts())


def test_every_rule_of_both_clients_has_a_transcript_and_no_other_is_named() -> None:
    page = (FOLDER.parents[1] / "docs" / "clients.md").read_text(encoding="utf-8")
    behaviour = page.partition("\n## Behaviour\n")[2].partition("\n## ")[0]
    rules = set()
    for section in behaviour.split("\n### ")[1:]:
        name = re.split(r"[,\n]", section, maxsplit=1)[0]
        rules |= {f"{name} {number}" for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)}
    assert len(rules) > 20
    named = {
        rule
        for _, transcript in transcripts()
        for rule in re.findall(r"docs/clients\.md, (\w+ \d+)", transcript["rule"])
    }
    assert named == rules


def without_names(value: Json) -> Json:
    """Return a frame with a value in place of each `$name`."""
    match value:
        case dict():
            return {name: without_names(each) for name, each in value.items()}
        case list():
            return [without_names(each) for each in value]
        case str() if value.startswith("$"):
            return "a value of the client"
        case _:
            return value


def checked(frame: Json, schema: str) -> None:
    found = validator(schema).iter_errors(without_names(frame))
    errors = [f"{error.message} at {error.instance_path}" for error in found]
    assert [error for error in errors if not any(name in error for name in UNKNOWN_TO_THE_CONTRACT)] == [], frame


@pytest.mark.parametrize("transcript", ALL)
def test_frames_of_transcript_are_valid_by_the_contract(transcript: Json) -> None:
    events: dict[Json, str] = {}
    for step in transcript["steps"]:
        if frame := step.get("out"):
            events[frame["id"]] = frame["event"]
            if frame["event"] == "history":  # the range stands for any way to ask for it
                assert set(frame["data"]) == {"room", "lacks"}
            elif frame["event"] not in UNKNOWN_TO_THE_CONTRACT:
                checked(frame, frame["event"])
        elif frame := step.get("in"):
            if "answer" in frame and events[frame["id"]] not in UNKNOWN_TO_THE_CONTRACT:
                event = events[frame["id"]]
                checked(frame, f"{event}.answer" if frame["answer"]["ok"] else f"{event}.error")
            elif "event" in frame and frame["event"] in PUSHES:
                checked(frame, f"{frame['event']}.push")
            else:
                assert "answer" in frame or frame["event"] in UNKNOWN_TO_THE_CONTRACT
        elif error := step.get("refuse"):
            checked({"event": "connect_error", "data": error}, "connect_error")
