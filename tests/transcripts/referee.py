"""Plays a transcript to a harness, and compares what its client does with what it must do."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from attrs import define, field

from .matching import Difference, Names, equal, frame_like, match, with_room
from .story import Object

Harness: TypeAlias = Callable[[Object], Object]
"""Takes one line for a harness, and returns its answer, as the README describes them."""

CAUSES = ("do", "in", "refuse", "closed", "wait")
"""Steps that happen to the client; the others are what it does and shows."""


@define(eq=False)
class _Tab:
    """What is known of one client.

    Attributes:
        did: what it did and no step has shown yet.
        asked: the argument of the last call of the token function.
        ids: the ids of its commands by their labels.
        may_close: whether it may close its connection by itself, after `bye`.
    """

    did: list[Object] = field(factory=list)
    asked: list[str | None] = field(factory=list)
    ids: dict[Any, Any] = field(factory=dict)
    may_close: bool = False


@define(eq=False)
class Play:
    """One transcript and how far it was played."""

    transcript: Object
    harness: Harness
    _tabs: dict[str, _Tab] = field(factory=lambda: defaultdict(_Tab))
    _names: Names = field(factory=Names)
    _calls: int = 0
    _last_call: str = ""

    def run(self) -> None:
        """Raises `Difference` with the step that the client does not fit."""
        self.harness({"start": {name: self.transcript[name] for name in ("user", "tokens", "store")}})
        for number, step in enumerate(self.transcript["steps"], 1):
            try:
                self._step(step)
            except Difference as difference:
                raise Difference(self._report(number, str(difference))) from None
        try:
            self._nothing_else()
        except Difference as difference:
            raise Difference(self._report(len(self.transcript["steps"]), str(difference))) from None

    def _report(self, number: int, what: str) -> str:
        name, rule = self.transcript["name"], self.transcript["rule"]
        steps = self.transcript["steps"][:number]
        shown = "\n".join(
            f"{'->' if at == number else '  '} {at:2} {str(step)[:300]}" for at, step in enumerate(steps, 1)
        )
        return f"{name}\n{rule}\n{shown}\n{what}"

    def _step(self, step: Object) -> None:
        tab = self._tabs[step.get("tab", "")]
        match step:
            case {"open": token}:
                equal({"open": token}, self._next(tab), "what the client did")
            case {"close": True}:
                equal({"close": True}, self._next(tab), "what the client did")
            case {"asked": token}:
                equal(token, tab.asked[-1] if tab.asked else "never", "the last argument of the token function")
            case {"out": frame}:
                self._out(tab, frame)
            case {"state": values}:
                self._nothing_else()
                self._state(step, values)
            case {"result": expected}:
                self._nothing_else()
                self._result(step, expected)
            case _:
                self._nothing_else()
                self._cause(tab, step)

    def _next(self, tab: _Tab) -> Object | None:
        return tab.did.pop(0) if tab.did else None

    def _nothing_else(self) -> None:
        for tab in self._tabs.values():
            if tab.did:
                raise Difference(f"the client also did {tab.did}")

    def _cause(self, tab: _Tab, step: Object) -> None:
        line = {name: value for name, value in step.items() if name in (*CAUSES, "tab")}
        match step:
            case {"do": _}:
                self._calls += 1
                self._last_call = step.get("as", str(self._calls))
                line = {**step, "as": self._last_call}
            case {"in": frame}:
                line["in"] = self._names.substituted(frame)
                if "answer" in frame:
                    line["in"]["id"] = tab.ids[frame["id"]]
                tab.may_close = tab.may_close or frame.get("event") == "bye"
            case _:
                pass
        for did in self.harness(line)["did"]:
            self._take(did)
        if "closed" in step:
            tab.may_close = False

    def _take(self, did: Object) -> None:
        tab = self._tabs[did.get("tab", "")]
        did = {name: value for name, value in did.items() if name != "tab"}
        match did:
            case {"asked": token}:
                tab.asked.append(token)
            case {"close": True} if tab.may_close:
                pass
            case _:
                tab.did.append(did)

    def _out(self, tab: _Tab, expected: Object) -> None:
        differences = []
        for index, did in enumerate(tab.did):
            names = self._names.copy()
            try:
                if "out" not in did:
                    raise Difference(f"the client did {did}")
                sent = did["out"]
                equal(expected["event"], sent["event"], "the command")
                data = frame_like(expected, sent, self.transcript["user"])["data"]
                match(expected["data"], data, names, "data", whole=True)
            except Difference as difference:
                differences.append(str(difference))
            else:
                self._names.take(names)
                tab.ids[expected["id"]] = sent["id"]
                del tab.did[index]
                return
        raise Difference(f"the client did not send {expected}; it did {tab.did}: {'; '.join(differences)}")

    def _shown(self, step: Object, names: Sequence[str]) -> Object:
        tab = {"tab": step["tab"]} if "tab" in step else {}
        shown: Object = self.harness({"show": list(names), **tab})["shown"]
        return shown

    def _state(self, step: Object, values: Object) -> None:
        shown = self._shown(step, list(values))
        for name, expected in values.items():
            actual = shown[name]
            if name == "store":
                actual = [
                    item if "to" in wanted else with_room(item, item["user"]) for wanted, item in _zip(expected, actual)
                ]
            match(expected, actual, self._names, name)

    def _result(self, step: Object, expected: Any) -> None:
        name = f"result {step.get('of', self._last_call)}"
        shown = self._shown(step, [name])[name]
        match expected:
            case None:
                equal(None, shown, "the result")
            case {"error": error}:
                match({"error": error}, shown, self._names, "the result")
            case _:
                match({"value": expected}, shown, self._names, "the result")


def _zip(expected: Sequence[Object], actual: Sequence[Object]) -> Sequence[tuple[Object, Object]]:
    """Return pairs for every actual element, also where there are more than expected."""
    return [(expected[index] if index < len(expected) else {}, item) for index, item in enumerate(actual)]


def play(transcript: Object, harness: Harness) -> None:
    """Play a transcript to a harness. Raises `Difference`."""
    Play(transcript, harness).run()
