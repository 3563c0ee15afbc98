"""What docs/protocol.md says of commands, fields, errors and routes, as data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from attrs import frozen

PAGE = Path(__file__).parents[1] / "docs" / "protocol.md"
NOT_YET = "**not yet**"

Shape: TypeAlias = "Mapping[str, Field]"

_TOKEN = re.compile(r'\s*(\{|\}|\[|\]|,|:|\||\([^)]*\)|"[^"]*"|\w+\??)')
_CODE = re.compile(r"`([^`]+)`")
_ROUTES = re.compile(r"((?:[A-Z]+(?:, )?)+) (/[^ ?|]*)(?:\?(\w+)=…)?")


@frozen
class Field:
    """A field of an object: whether it may be missing, and the fields of the object that it holds."""

    is_optional: bool
    inner: "Mapping[str, Field]"


@frozen
class Route:
    method: str
    path: str


@frozen
class Command:
    """A row of the table of all commands.

    Attributes:
        names: the names of its events; none for what is served over HTTP alone.
        statuses: the statuses of success that the row names.
    """

    names: Sequence[str]
    routes: Sequence[Route]
    statuses: Sequence[int]
    query: Sequence[str]
    is_served: bool


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return the text under a heading, up to the next heading of its level or a higher one."""
    lines = text().splitlines()
    start = next(number for number, line in enumerate(lines) if re.fullmatch(rf"#+ {re.escape(heading)}", line))
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    end = next(
        (number for number in range(start + 1, len(lines)) if re.match(rf"#{{1,{level}}} ", lines[number])), len(lines)
    )
    return "\n".join(lines[start + 1 : end])


def rows(section_text: str, *header: str) -> Iterator[Sequence[str]]:
    """Yield the rows of the table with this header."""
    lines = iter(section_text.splitlines())
    for line in lines:
        if _cells(line) == list(header):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return
                yield _cells(row)


def commands() -> Iterator[Command]:
    for names, _, http, today in rows(section("All commands"), "command", "what it does", "HTTP", "today"):
        routes = [
            Route(method, re.sub(r"\{\w+\}", "{}", path))
            for methods, path, _ in _ROUTES.findall(http)
            for method in methods.split(", ")
        ]
        yield Command(
            _CODE.findall(names),
            routes,
            [int(status) for status in re.findall(r"\b20\d\b", http)],
            [name for _, _, name in _ROUTES.findall(http) if name],
            today == "served",
        )


def served_commands() -> Mapping[str, Command]:
    return {name: row for row in commands() if row.is_served for name in row.names}


def fields_of(command: str) -> Shape:
    """Return the fields of a command, from its table or from ``{…} -> {…}``."""
    body = section(command)
    table = list(rows(body, "field", "", ""))
    if not table:
        return shape(_arrow(body)[0])
    return {
        name: Field(need != "required", shape(_braces(what)) if name == "cursors" else {})
        for names, need, what in table
        for name in _CODE.findall(names)
    }


def answer_of(command: str) -> Shape:
    """Return the fields of a command's answer."""
    body = section(command)
    if "Room](#room)" in body and command in ("room.get", "room.create"):
        return room_shape()
    stated = re.search(r"^Answer: `(\{.*?\})`", body, re.MULTILINE)
    return shape(stated[1] if stated else _arrow(body)[1])


def room_shape() -> Shape:
    return shape(_braces(section("Room")))


def refusals_of(command: str) -> set[str]:
    """Return the codes that the section of a command names as refusals."""
    body = section(command)
    codes = {code for row in rows(body, "refusal", "when") for code in _CODE.findall(row[0])}
    for sentence in re.findall(r"^Refusals: ((?:.+\n?)+)", body, re.MULTILINE):
        codes |= set(re.findall(r"`([a-z_]+)`(?= (?:when|for))", sentence))
    return codes & set(errors())


def general_refusals() -> set[str]:
    (sentence,) = re.findall(r"Every command can also be refused as ([^.]*)\.", section("Rules of all commands"))
    return set(_CODE.findall(sentence)) & set(errors())


def errors() -> Mapping[str, tuple[int, bool]]:
    """Return the status and whether it is temporary, by code."""
    table = rows(section("Errors"), "code", "HTTP", "temporary", "when")
    return {_CODE.findall(code)[0]: (int(status), temporary == "yes") for code, status, temporary, _ in table}


def pushes() -> Mapping[str, str]:
    """Return what the table of pushes says of each that is served."""
    table = rows(section("Pushes"), "push", "object")
    return {_CODE.findall(event)[0]: what for event, what in table if NOT_YET not in event}


def entry_kinds() -> Mapping[str, Shape]:
    """Return the fields that entries of each kind carry beside those of all entries."""
    table = rows(section("Entries"), "kind", "carries")
    return {
        kind: {field.rstrip("?"): Field(field.endswith("?"), {}) for field in _CODE.findall(what) if field != "opens"}
        for kinds, what in table
        for kind in _CODE.findall(kinds)
    }


def bounds() -> Mapping[str, str]:
    """Return the rule of each field in the table of fields and their bounds."""
    table = rows(section("Fields and their bounds"), "field", "rule")
    return {name: rule for names, rule in table for name in _CODE.findall(names) if "presence" not in names}


def other_routes() -> Mapping[str, bool]:
    """Return whether each route beside the API's prefix is served."""
    table = rows(section("Other routes"), "route", "what it is")
    return {path: not what.startswith(NOT_YET) for routes, what in table for path in _CODE.findall(routes)}


def shape(written: str) -> Shape:
    """Parse the notation of objects: ``{room, key?, me: {role, state}}``."""
    tokens = _TOKEN.findall(written.replace("\\|", "|"))
    assert tokens, written
    fields, _ = _object(tokens, 0)
    return fields


def _object(tokens: Sequence[str], at: int) -> tuple[Shape, int]:
    assert tokens[at] == "{", tokens
    fields: dict[str, Field] = {}
    at += 1
    while tokens[at] != "}":
        name = tokens[at]
        at += 1
        inner: Shape = {}
        while tokens[at] not in (",", "}"):
            if tokens[at] == "{":
                inner, at = _object(tokens, at)
            else:
                at += 1
        at += tokens[at] == ","
        fields[name.rstrip("?")] = Field(name.endswith("?"), inner)
    return fields, at + 1


def _arrow(body: str) -> tuple[str, str]:
    found = re.search(r"`(\{[^`]*\})`\s*->\s*`?(\{[^`]*\}|\[Room\])", body)
    assert found, body
    return found[1], found[2]


def _braces(what: str) -> str:
    found = re.search(r"\{.*\}", what)
    assert found, what
    return found[0].replace("`", "")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
