"""Schemas in words."""

from chatcore.commands.fields import BYTES_MAX, LINE_PATTERN
from chatcore.domain.serialization import INTEGER_MAX
from chatcore.protocol import Object
from chatcore.protocol.schemas import REF, REFERENCE


def kind_of(schema: Object) -> str:
    """Return the type and bounds of a value in words; ``{Name}`` stands for an object with that name."""
    if REF in schema:
        return f"{{{schema[REF].removeprefix(REFERENCE)}}}"
    if "const" in schema:
        return f"`{_written(schema['const'])}`"
    if "enum" in schema:
        return _either([f"`{_written(value)}`" for value in schema["enum"]])
    if "anyOf" in schema:
        return _with_default(_either([kind_of(member) for member in schema["anyOf"]]), schema)
    match schema.get("type"):
        case "array":
            return _list(schema)
        case "object":
            return _map(schema)
        case "string" if schema.get("format") == "date-time":
            return "time"
        case "string":
            return ", ".join(["string", *_string_bounds(schema)])
        case "integer":
            return _with_default(", ".join(["integer", *_integer_bounds(schema)]), schema)
        case kind:
            return _with_default(str(kind), schema)


def _list(schema: Object) -> str:
    bound = f"at most {schema['maxItems']:,} " if "maxItems" in schema else ""
    return f"list of {bound}{kind_of(schema['items'])}"


def _map(schema: Object) -> str:
    values = f" of {kind_of(schema['additionalProperties'])} by name" if schema.get("additionalProperties") else ""
    bound = f", at most {schema['maxProperties']:,}" if "maxProperties" in schema else ""
    return f"object{values}{bound}"


def _string_bounds(schema: Object) -> list[str]:
    bounds: list[str] = []
    if BYTES_MAX in schema:
        bounds.append(f"at most {schema[BYTES_MAX]:,} bytes")
    elif "maxLength" in schema:
        bounds.append(f"{schema.get('minLength', 0):,} to {schema['maxLength']:,} characters")
    if schema.get("pattern") == LINE_PATTERN:
        bounds.append("one line")
    return bounds


def _integer_bounds(schema: Object) -> list[str]:
    if schema.get("maximum", INTEGER_MAX) < INTEGER_MAX:
        return [f"{schema.get('minimum', 0):,} to {schema['maximum']:,}"]
    return [f"from {schema['minimum']}"] if "minimum" in schema else []


def _with_default(text: str, schema: Object) -> str:
    return f"{text}; default `{_written(schema['default'])}`" if "default" in schema else text


def _either(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
