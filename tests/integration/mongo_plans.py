"""The plans of commands: a listener collects the commands, and the server explains them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen
from bson import CodecOptions, decode, encode
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
    """All commands that were sent, in their order, and an example of each shape."""

    def __init__(self) -> None:
        self.count = 0
        """How many commands were sent. In ``sent`` a command with several statements or queries is several."""
        self.sent: list[Mapping[str, Any]] = []
        self.shapes: dict[str, Mapping[str, Any]] = {}
        self.names: set[str] = set()
        """Names such as ``insert entries``: the command and its collection."""
        self.suites: set[str] = set()
        """The tests of the contract suites that have sent the commands."""

    def keep(self, file: Path) -> None:
        """Write the commands to a file, for another process."""
        shapes = [{"shape": shape, "command": command} for shape, command in self.shapes.items()]
        file.write_bytes(encode({"shapes": shapes, "names": [*self.names], "suites": [*self.suites]}))

    @classmethod
    def kept(cls, file: Path) -> Self:
        kept, commands = decode(file.read_bytes()), cls()
        commands.shapes = {example["shape"]: example["command"] for example in kept["shapes"]}
        commands.names, commands.suites = {*kept["names"]}, {*kept["suites"]}
        return commands

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if isinstance(collection := event.command[event.command_name], str):
            self.names.add(f"{event.command_name} {collection}")
        if event.command_name in EXPLAINED:
            self.count += 1
            for command in _one_by_one(event.command):
                self.sent.append(command)
                self.shapes.setdefault(repr(shape_of(command)), command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


def _one_by_one(command: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield equivalent commands with one statement each, since the server explains no others.

    Each query that a ``$unionWith`` adds is a command of its own: explaining a union whose query takes the first of
    each group by an index ends MongoDB 6 with a segmentation fault.
    """
    plain = {name: value for name, value in command.items() if name not in SERVER_SAYS}
    if "aggregate" in plain:
        unions = [stage["$unionWith"] for stage in plain["pipeline"] if "$unionWith" in stage]
        yield {**plain, "pipeline": [stage for stage in plain["pipeline"] if "$unionWith" not in stage]}
        for union in unions:
            yield {**plain, "aggregate": union["coll"], "pipeline": union["pipeline"]}
        return
    statements = next((name for name in ("updates", "deletes") if name in plain), None)
    if statements is None:
        yield plain
    else:
        for statement in plain[statements]:
            yield {**plain, statements: [statement]}


def shape_of(value: object, name: str = "") -> object:
    """Return a command without its values, since only its shape decides which plans are possible."""
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
    """The stages of all plans of a command, and the numbers of keys and documents that they examined."""

    stages: list[Mapping[str, Any]] = field(factory=list)
    documents: int = 0
    keys: int = 0

    @property
    def names(self) -> set[str]:
        return {stage["stage"] for stage in self.stages}

    @property
    def indexes(self) -> set[str]:
        by_id = {"_id_" for stage in self.stages if stage["stage"] == "IDHACK"}
        return by_id | {stage["indexName"] for stage in self.stages if "indexName" in stage}


def explain(database: Database[Any], command: Mapping[str, Any]) -> Plan:
    """Let the server explain a command. Writes are not carried out."""
    # The server cuts long bounds of indexes, also within a character.
    decoding = CodecOptions[dict[str, Any]](unicode_decode_error_handler="replace")
    explained = database.command({"explain": dict(command), "verbosity": "executionStats"}, codec_options=decoding)
    stages = [stage for plan in _executed(explained) for stage in _stages(plan)]
    documents, keys = (sum(stage.get(name, 0) for stage in stages) for name in ("docsExamined", "keysExamined"))
    return Plan(stages, documents, keys)


def _executed(explained: object) -> Iterator[Mapping[str, Any]]:
    """Yield the execution statistics of a command and of its subqueries."""
    match explained:
        case {"executionStats": {"executionStages": dict(stages)}}:
            yield stages
        case _:
            pass
    match explained:
        case dict():
            for name, value in explained.items():
                if name not in ("executionStats", "command"):
                    yield from _executed(value)
        case list():
            for value in explained:
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
