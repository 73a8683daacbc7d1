"""JSON Schema as annotations of Python: of what is answered, and of what is taken.

What is taken is wide (`Sequence`, `UUID | str`), what is answered is exact (`list`, `UUID`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Forms:
    """How kinds of values are annotated."""

    reference: str
    array: str
    mapping: str
    uuid: tuple[str, ...]
    file: str


ANSWERED = Forms("{}", "list[{}]", "dict[str, {}]", ("UUID",), "bytes")
TAKEN = Forms("arguments.{}", "Sequence[{}]", "Mapping[str, {}]", ("UUID", "str"), "Upload")

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Schemas:
    """The schemas of a description, by their names."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._named: Mapping[str, Schema] = description["components"]["schemas"]

    def named(self, name: str) -> Schema:
        """Return a schema by its name."""
        return self._named[name]

    def resolved(self, schema: Schema) -> Schema:
        """Return what a reference stands for, also one that may be null."""
        for part in (schema, *schema.get("anyOf", ())):
            if "$ref" in part:
                return self._named[_name(part["$ref"])]
        return schema

    def reachable(self, schemas: Iterable[Schema]) -> list[str]:
        """Return the names of all schemas that some are made of, by name."""
        found: set[str] = set()
        left = set(_references(schemas))
        while left:
            found |= left
            left = set(_references(self._named[name] for name in left)) - found
        return sorted(found)


def annotation(schema: Schema, forms: Forms) -> str:
    """Return how a value is annotated; None comes last."""
    members = dict.fromkeys(_members(schema, forms))
    if "Any" in members:
        return "Any"
    return " | ".join(sorted(members, key=lambda member: member == "None"))


def _members(schema: Schema, forms: Forms) -> Iterator[str]:
    """Yield what a value may be, one annotation for each."""
    if "$ref" in schema:
        yield forms.reference.format(_name(schema["$ref"]))
    elif "enum" in schema or "const" in schema:
        yield from _literals(schema.get("enum") or [schema["const"]])
    elif alternatives := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for part in alternatives:
            yield from _members(part, forms)
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield from _members({**schema, "type": kind}, forms)
    else:
        yield from _of_one_kind(schema, forms)


def _of_one_kind(schema: Schema, forms: Forms) -> Iterable[str]:
    kind = schema.get("type")
    if kind == "array":
        return [forms.array.format(annotation(schema.get("items", {}), forms))]
    if kind == "object":
        values = schema.get("additionalProperties")
        shown = annotation(values, forms) if isinstance(values, Mapping) else "Any"
        return [forms.mapping.format(shown)]
    if schema.get("format") == "uuid":
        return forms.uuid
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return [forms.file]
    return [_SCALARS.get(str(kind), "Any")]


def _literals(values: list[Any]) -> Iterator[str]:
    shown = [json.dumps(value) if isinstance(value, str) else repr(value) for value in values]
    texts = [text for text in shown if text != "None"]
    if texts:
        yield f"Literal[{', '.join(texts)}]"
    if None in values:
        yield "None"


def _references(schemas: Iterable[Schema]) -> Iterator[str]:
    """Yield the names of what schemas themselves refer to."""
    left: list[Any] = list(schemas)
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if isinstance(part.get("$ref"), str):
                yield _name(part["$ref"])
            left += part.values()
        elif isinstance(part, list):
            left += part


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
