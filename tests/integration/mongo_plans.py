"""What the server does for a command: collected by a listener, explained by the server."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen
from bson import decode, encode
from pymongo import monitoring
from pymongo.database import Database

EXPLAINED = ("aggregate", "find", "update", "delete", "count", "findAndModify")
SERVER_SAYS = (
    "lsid",
    "$clusterTime",
    "$db",
    "txnNumber",
    "$readPreference",
    "maxTimeMS",
    "readConcern",
    "writeConcern",
)


class Commands(monitoring.CommandListener):
    """Every command that is sent, in its order; and of each shape one example."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.shapes: dict[str, Mapping[str, Any]] = {}
        self.names: set[str] = set()
        """``insert entries``: what is done to which collection."""
        self.suites: set[str] = set()
        """The contract suites' tests that have sent them."""

    def keep(self, file: Path) -> None:
        """For another process."""
        shapes = [{"shape": shape, "command": command} for shape, command in self.shapes.items()]
        file.write_bytes(encode({"shapes": shapes, "names": [*self.names], "suites": [*self.suites]}))

    @classmethod
    def kept(cls, file: Path) -> Self:
        found, commands = decode(file.read_bytes()), cls()
        commands.shapes = {one["shape"]: one["command"] for one in found["shapes"]}
        commands.names, commands.suites = {*found["names"]}, {*found["suites"]}
        return commands

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if isinstance(collection := event.command[event.command_name], str):
            self.names.add(f"{event.command_name} {collection}")
        if event.command_name in EXPLAINED:
            for command in _one_by_one(event.command):
                self.sent.append(command)
                self.shapes.setdefault(repr(shape_of(command)), command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def _one_by_one(command: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The commands that come to the same and have one statement each: no others can be explained."""
    plain = {name: value for name, value in command.items() if name not in SERVER_SAYS}
    statements = next((name for name in ("updates", "deletes") if name in plain), None)
    if statements is None:
        yield plain
    else:
        for statement in plain[statements]:
            yield {**plain, statements: [statement]}


def shape_of(value: object, name: str = "") -> object:
    """A command without its values: what is left decides how it can be carried out."""
    match value:
        case dict():
            return {key: shape_of(inner, key) for key, inner in value.items()}
        case list() if name in ("$in", "$literal"):
            return "values"
        case list():
            shapes = [shape_of(inner) for inner in value]
            return [shape for number, shape in enumerate(shapes) if shape not in shapes[:number]]
        case str() if name in ("aggregate", "find", "update", "delete", "coll", "kind") or value.startswith("$"):
            return value
        case _:
            return type(value).__name__


@frozen
class Plan:
    """The stages of all plans that a command was carried out with, and what they looked at."""

    stages: list[Mapping[str, Any]] = field(factory=list)
    documents: int = 0

    @property
    def names(self) -> set[str]:
        return {stage["stage"] for stage in self.stages}

    @property
    def indexes(self) -> set[str]:
        by_id = {"_id_" for stage in self.stages if stage["stage"] == "IDHACK"}
        return by_id | {stage["indexName"] for stage in self.stages if "indexName" in stage}


def explain(database: Database[Any], command: Mapping[str, Any]) -> Plan:
    """Ask the server how it carries a command out. Writes are explained, not carried out."""
    told = database.command({"explain": dict(command), "verbosity": "executionStats"})
    stages = [stage for plan in _executed(told) for stage in _stages(plan)]
    return Plan(stages, sum(stage.get("docsExamined", 0) for stage in stages))


def _executed(told: object) -> Iterator[Mapping[str, Any]]:
    """The execution statistics of a command and of all that it asks beside."""
    match told:
        case {"executionStats": {"executionStages": dict(stages)}}:
            yield stages
        case _:
            pass
    match told:
        case dict():
            for name, value in told.items():
                if name not in ("executionStats", "command"):
                    yield from _executed(value)
        case list():
            for value in told:
                yield from _executed(value)
        case _:
            pass


def _stages(plan: object) -> Iterator[Mapping[str, Any]]:
    match plan:
        case dict():
            if "stage" in plan:
                yield plan
            for value in plan.values():
                yield from _stages(value)
        case list():
            for value in plan:
                yield from _stages(value)
        case _:
            pass
