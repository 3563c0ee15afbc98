"""The page at ``/docs``: the contract for people. It needs neither scripts nor anything else from the server."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from importlib.metadata import version
from typing import Any

from attrs import frozen

from chatcore.commands.command import GENERAL_REFUSALS, KEYED_REFUSALS, Command
from chatcore.commands.table import COMMANDS
from chatcore.errors import ERRORS
from chatcore.protocol import Object
from chatcore.protocol.docstrings import description
from chatcore.protocol.examples import PUSH_EXAMPLES, step_name, steps_of
from chatcore.protocol.pushes import PUSHES
from chatcore.protocol.schemas import REF, REFERENCE, Schemas, refusals_of
from chatcore_http.command_operations import family_of
from chatcore_http.endpoints import PREFIX, Endpoint
from chatcore_http.operations import Operation
from chatcore_http.problems import STATUSES

from .descriptions import kind_of
from .frames import http_messages, plain_frames, plain_push, socketio_frames, socketio_push
from .openapi import described

STYLE = resources.files(__package__ or "").joinpath("reference.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_INTRODUCTION = resources.files(__package__ or "").joinpath("introduction.html").read_text("utf-8")
_SHAPE = "M8 3h16a6 6 0 0 1 6 6v8a6 6 0 0 1-6 6h-9l-7 6v-6a6 6 0 0 1-6-6V9a6 6 0 0 1 6-6z"
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    f"%3Cpath fill='%230f766e' d='{_SHAPE}'/%3E%3C/svg%3E"
)
_TEMPORARY = " Temporary: repeat the command with the same key."
_TRANSPORTS = {"socketio": "Socket.IO", "websocket": "WebSocket", "http": "HTTP"}
_TITLES = {"auth": "Access", "markers": "Markers and unread messages", "membership": "Members"}
_FRAME_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?')
"""A string of JSON; with a colon it is a name."""


@frozen
class _Objects:
    """The objects that stand in fields of others, which have a part of the page of their own."""

    schemas: Schemas
    names: Sequence[str]

    @classmethod
    def of(cls, schemas: Schemas, operations: Iterable[Operation]) -> "_Objects":
        whole = [
            *(schemas.sent(command) for command in COMMANDS.values()),
            *(schemas.answer(command) for command in COMMANDS.values()),
            *(schemas.push(event) for event in PUSHES),
            *(schema for operation in operations for schema in operation.responses.values()),
        ]
        inner = [schema for schema in whole if schema is not None and REF not in schema]
        names = {name: None for schema in [*inner, *schemas.components.values()] for name in _references(schema)}
        return cls(schemas, [name for name in names if {"properties", "oneOf"} & schemas.components[name].keys()])


def reference(endpoints: Iterable[Endpoint]) -> str:
    """Return the page.

    Args:
        endpoints: the endpoints below the API's prefix.
    """
    schemas = Schemas()
    by_path = described(endpoints, schemas)
    operations = [(method, operation) for served in by_path.values() for method, operation in served]
    objects = _Objects.of(schemas, [operation for _, operation in operations])
    families: dict[str, list[str]] = {}
    contents: dict[str, list[tuple[str, str]]] = {}

    for method, operation in operations:
        if not operation.commands:
            contents.setdefault(operation.family, []).append((operation.title, operation.id))
            families.setdefault(operation.family, []).append(_operation(method, operation, objects))
    for name, command in COMMANDS.items():
        served = [(method, operation) for method, operation in operations if name in operation.commands]
        family = family_of(command)
        contents.setdefault(family, []).append((_code(name), name))
        families.setdefault(family, []).append(_command(name, command, served, objects))
    families["pushes"] = [_push(event, objects) for event in PUSHES]
    contents["pushes"] = [(_code(event), f"push-{event}") for event in PUSHES]
    sections = [
        f'<section><h2 id="section-{family}">{_title(family)}</h2>{"".join(articles)}</section>'
        for family, articles in families.items()
    ]
    contents["errors"] = [("All errors", "section-errors")]
    contents["objects"] = [(_code(name), name) for name in objects.names]
    return _page("".join([*sections, _errors(), _object_section(objects)]), contents)


def _command(name: str, command: type[Command[Any]], served: Sequence[tuple[str, Operation]], objects: _Objects) -> str:
    sent, answer = objects.schemas.sent(command), objects.schemas.answer(command)
    words = [
        _routes(served),
        _paragraphs(description(command)),
        _fields("Fields", sent, objects, needed=True),
        _fields("Answer", answer, objects),
        _refusals(refusals_of(command)),
    ]
    steps = steps_of(name)
    shown = [
        *(_figure("socketio", step, socketio_frames(e), e.user, e.error is not None) for step, e in steps),
        *(_figure("websocket", step, plain_frames(e), e.user, e.error is not None) for step, e in steps),
        *_http_figures([operation for _, operation in served], name),
    ]
    if not served:
        shown.append('<figure class="http"><p class="none">This command is for sockets only.</p></figure>')
    return _article(_code(name), name, words, shown)


def _operation(method: str, operation: Operation, objects: _Objects) -> str:
    words = [
        _routes([(method, operation)]),
        _paragraphs(operation.description),
        _fields("Fields", _taken(operation), objects, needed=True),
        *(_fields("Answer", schema, objects) for schema in operation.responses.values() if schema is not None),
        _refusals(operation.refusals),
    ]
    shown = [_figure("http-alone", e.step, http_messages(e), e.user, e.status >= 400) for e in operation.examples]
    return _article(operation.title, operation.id, words, shown)


def _taken(operation: Operation) -> Object:
    """Return the schema of all that a request has to say, wherever it says it."""
    body = operation.body or {"properties": {}, "required": []}
    in_url = {parameter.name: parameter.schema for parameter in operation.parameters}
    required = [parameter.name for parameter in operation.parameters if parameter.is_required]
    return {"properties": {**in_url, **body["properties"]}, "required": [*required, *body.get("required", ())]}


def _push(event: str, objects: _Objects) -> str:
    body = objects.schemas.push(event)
    words = [_paragraphs(description(PUSHES[event])), _fields("Fields", body, objects)]
    shown: list[str] = []
    if event in PUSH_EXAMPLES:
        example = PUSH_EXAMPLES[event]
        shown = [
            f'<figure class="socketio">{_pre("pushed", socketio_push(event, example))}</figure>',
            f'<figure class="websocket">{_pre("pushed", plain_push(event, example))}</figure>',
            '<figure class="http"><p class="none">Pushes arrive over sockets only.</p></figure>',
        ]
    return _article(_code(event), f"push-{event}", words, shown)


def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>"


def _article(heading: str, id: str, words: Iterable[str], examples: Iterable[str]) -> str:  # noqa: A002
    return (
        f'<article id="{id}"><div class="words"><h3><a href="#{id}">{heading}</a></h3>'
        f'{"".join(words)}</div><div class="examples"><div class="stick">{"".join(examples)}</div></div></article>'
    )


def _routes(served: Iterable[tuple[str, Operation]]) -> str:
    return "".join(
        f'<code class="route"><span class="verb">{method}</span> {PREFIX}{escape(operation.path)}</code>'
        for method, operation in served
    )


def _fields(title: str, schema: Object, objects: _Objects, *, needed: bool = False) -> str:
    name = schema.get(REF, "").removeprefix(REFERENCE)
    if name in objects.names:
        return f"<h4>{title}</h4><p>{'An' if name[0] in 'AEIOU' else 'A'} {_object_link(name)}.</p>"
    schema = objects.schemas.components[name] if name else schema
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(field)}</code>{_need(field, schema, needed=needed)}</th>'
        f"<td>{_meaning(inner, objects)}</td></tr>"
        for field, inner in schema["properties"].items()
    )
    if not rows:
        return f"<h4>{title}</h4><p>None.</p>"
    return f"<h4>{title}</h4><table>{_head('field', 'meaning')}<tbody>{rows}</tbody></table>"


def _need(field: str, schema: Object, *, needed: bool) -> str:
    if field in schema.get("required", ()):
        return '<span class="need required">required</span>' if needed else ""
    one_of = [condition["oneOf"] for condition in schema.get("allOf", ()) if "oneOf" in condition]
    if any([field] == alternative.get("required") for alternatives in one_of for alternative in alternatives):
        return '<span class="need required">one of these</span>'
    return '<span class="need">optional</span>'


def _meaning(schema: Object, objects: _Objects) -> str:
    note = schema.get("description") or _component(schema, objects).get("description", "")
    kind = _linked(kind_of(schema), objects)
    return f'<span class="kind">{kind}</span>' + (f'<span class="note">{_inline(note)}</span>' if note else "")


def _component(schema: Object, objects: _Objects) -> Object:
    component: Object = objects.schemas.components.get(schema.get(REF, "").removeprefix(REFERENCE), {})
    return component


def _refusals(every: Mapping[str, str]) -> str:
    general = {**GENERAL_REFUSALS, **KEYED_REFUSALS}
    special = {code: when for code, when in every.items() if general.get(code) != when}
    others = {code: when for code, when in every.items() if code not in special}
    summary = "Errors of every command" if special else "Those of every command"
    folded = f"<details><summary>{summary}</summary>{_error_table(others)}</details>"
    return f"<h4>Errors</h4>{_error_table(special) if special else ''}{folded}"


def _error_table(refusals: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{code}</code><span class="need">{STATUSES[code].value} over HTTP</span></th>'
        f'<td><span class="note">{_inline(_sentence(when))}</span></td></tr>'
        for code, when in refusals.items()
    )
    return f"<table>{_head('error', 'when')}<tbody>{rows}</tbody></table>"


def _errors() -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{code}</code><span class="need">{STATUSES[code].value} over HTTP</span></th>'
        f'<td><span class="note">{_inline(description(error))}{_TEMPORARY if error.temporary else ""}</span></td></tr>'
        for code, error in ERRORS.items()
    )
    table = f"<table>{_head('error', 'meaning')}<tbody>{rows}</tbody></table>"
    return f'<section><h2 id="section-errors">Errors</h2>{table}</section>'


def _head(*names: str) -> str:
    return "<thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr></thead>"


def _http_figures(operations: Iterable[Operation], command: str) -> Iterator[str]:
    for operation in operations:
        for example in operation.examples:
            if example.command in (None, command):
                yield _figure("http", example.step, http_messages(example), example.user, example.status >= 400)


def _figure(transport: str, step: int, texts: tuple[str, str], user: str | None, is_refused: bool) -> str:
    sent, received = texts
    who = f"<b>{user}</b>" if user else "without a token"
    refused = '<span class="refused">refused</span>' if is_refused else ""
    return (
        f'<figure class="{transport}" data-step="{step_name(step)}"><figcaption>{who}{refused}</figcaption>'
        f"{_pre('sent', sent)}{_pre('received', received)}</figure>"
    )


def _pre(kind: str, text: str) -> str:
    return f'<pre class="{kind}" tabindex="0"><code>{_highlighted(text)}</code></pre>'


def _highlighted(text: str) -> str:
    parts: list[str] = []
    end = 0
    for token in _FRAME_TOKEN.finditer(text):
        parts.append(escape(text[end : token.start()], quote=False))
        tag = "i" if token[1] else "q"
        name = token[0].removesuffix(token[1] or "")
        parts.append(f"<{tag}>{escape(name, quote=False)}</{tag}>{token[1] or ''}")
        end = token.end()
    return "".join(parts) + escape(text[end:], quote=False)


def _object_section(objects: _Objects) -> str:
    articles: list[str] = []
    for name in objects.names:
        schema = objects.schemas.components[name]
        if "oneOf" in schema:
            kinds = ", ".join(_object_link(kind[REF].removeprefix(REFERENCE)) for kind in schema["oneOf"])
            body = f"<p>One of {kinds}: <code>kind</code> says which. Clients ignore kinds that they do not know.</p>"
        else:
            body = _paragraphs(schema.get("description", "")) + _fields("Fields", schema, objects)
        articles.append(_article(_code(name), name, [body], []))
    return f'<section><h2 id="section-objects">Objects</h2>{"".join(articles)}</section>'


def _references(schema: object) -> Iterator[str]:
    match schema:
        case {"$ref": str(reference)}:
            yield reference.removeprefix(REFERENCE)
        case Mapping():
            for inner in schema.values():
                yield from _references(inner)
        case list():
            for inner in schema:
                yield from _references(inner)
        case _:
            pass


def _object_link(name: str) -> str:
    return f'<a href="#{name}">{name}</a>'


def _linked(kind: str, objects: _Objects) -> str:
    def link(name: re.Match[str]) -> str:
        return _object_link(name[1]) if name[1] in objects.names else "object"

    return re.sub(r"\{(\w+)\}", link, _inline(kind))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def _title(family: str) -> str:
    return _TITLES.get(family, family.capitalize())


def _page(main: str, contents: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    listed = "".join(
        f"<h2>{_title(family)}</h2><ul>"
        + "".join(f'<li><a href="#{target}">{name}</a></li>' for name, target in names)
        + "</ul>"
        for family, names in contents.items()
    )
    choices = "".join(
        f'<input type="radio" name="transport" id="over-{name}"{" checked" if name == "socketio" else ""}>'
        f'<label for="over-{name}">{title}</label>'
        for name, title in _TRANSPORTS.items()
    )
    return f"""<!doctype html>
<html lang="en" id="top">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>chatcore: the contract</title>
<link rel="icon" href="{_ICON}">
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the contract</a>
<div class="bar">
<a class="brand" href="#top"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="{_SHAPE}"/></svg>chatcore
<small>{escape(version("chatcore"))}</small></a>
<a class="menu" href="#contents">Contents</a>
<fieldset class="switch"><legend>Show examples over</legend>{choices}</fieldset>
</div>
<div class="page">
<nav id="contents" aria-label="Contents">{listed}</nav>
<main id="main">
{_INTRODUCTION}
{main}
<footer>Made by the server from its own table of commands.</footer>
</main>
</div>
</body>
</html>
"""
