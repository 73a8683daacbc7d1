"""The Python source of models, of dictionaries that methods take, and of the methods."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from deploy.client_generator.names import class_name, python_name
from deploy.client_generator.operations import Description, Operation, operations
from deploy.client_generator.schemas import (
    ANSWERED,
    TAKEN,
    Schema,
    Schemas,
    annotation,
)

_WIDTH = 92
"""Of docstrings within a class."""

_FIRST_LINE = _WIDTH - len('""""""')
_MADE = "Made of the API's description by `make clients`."


def sources(description: Description) -> dict[str, str]:
    """Return what modules hold, by their names in the package."""
    found = operations(description)
    return {
        "models.py": _models(description, found),
        "arguments.py": _arguments(description, found),
        "areas.py": _areas(found, is_async=False),
        "async_areas.py": _areas(found, is_async=True),
    }


def _models(description: Description, found: Iterable[Operation]) -> str:
    schemas = Schemas(description)
    answers = [
        {"$ref": f"#/components/schemas/{operation.answer}"}
        for operation in found
        if operation.answer
    ]
    lines = [
        *_docstring("What endpoints answer.", _MADE),
        "from __future__ import annotations",
        "from typing import Any, Literal",
        "from uuid import UUID",
        "from pydantic import Field, RootModel",
        "from airy_ray_client.model import Model",
    ]
    for name in schemas.reachable(answers):
        lines += _model(name, schemas.named(name))
    return _file(lines)


def _model(name: str, schema: Schema) -> Iterator[str]:
    if "properties" not in schema and "additionalProperties" in schema:
        yield f"class {name}(RootModel[{annotation(schema, ANSWERED)}]):"
    else:
        yield f"class {name}(Model):"
    told = schema.get("description") or f"What the description calls {name}."
    yield from _indented(_docstring(*told.split("\n\n")))
    required = schema.get("required", ())
    for key, field in schema.get("properties", {}).items():
        yield from _indented(_field(key, field, is_required=key in required))


def _field(key: str, field: Schema, *, is_required: bool) -> Iterator[str]:
    name = python_name(key)
    shown = annotation(field, ANSWERED)
    if not is_required and shown != "Any" and not shown.endswith("None"):
        shown += " | None"
    options = [] if is_required else ["default=None"]
    if name != key:
        options.append(f'alias="{key}"')
    yield f"{name}: {shown}" + (f" = Field({', '.join(options)})" if options else "")
    if "description" in field:
        yield from _docstring(field["description"])


def _arguments(description: Description, found: Iterable[Operation]) -> str:
    schemas = Schemas(description)
    bodies = [
        media["schema"]
        for operation in found
        for media in description["paths"][operation.path]["post"]["requestBody"]["content"].values()
    ]
    parts = [
        field
        for body in map(schemas.resolved, bodies)
        for field in (*body.get("properties", {}).values(), body.get("items", {}))
    ]
    lines = [
        *_docstring("Dictionaries that methods take as parts of their arguments.", _MADE),
        "from __future__ import annotations",
        "from collections.abc import Mapping, Sequence",
        "from typing import Any, Literal, NotRequired, TypedDict",
        "from uuid import UUID",
    ]
    for name in schemas.reachable(parts):
        lines += _dictionary(name, schemas.named(name))
    return _file(lines)


def _dictionary(name: str, schema: Schema) -> Iterator[str]:
    yield f"class {name}(TypedDict):"
    yield from _indented(_docstring(schema.get("description") or f"A {name}."))
    required = schema.get("required", ())
    for key, field in schema.get("properties", {}).items():
        shown = annotation(field, TAKEN).replace("arguments.", "")
        told = _docstring(field["description"]) if "description" in field else ()
        yield f"    {key}: {shown if key in required else f'NotRequired[{shown}]'}"
        yield from _indented(told)


def _areas(found: Sequence[Operation], *, is_async: bool) -> str:
    calls = "AsyncCalls" if is_async else "Calls"
    paging = "each_async" if is_async else "each"
    kind = "AsyncIterator" if is_async else "Iterator"
    lines = [
        *_docstring("The endpoints, area by area" + (", awaited." if is_async else "."), _MADE),
        f"from collections.abc import {kind}, Mapping, Sequence",
        "from typing import Any, Literal",
        "from uuid import UUID",
        "from airy_ray_client import arguments, models",
        f"from airy_ray_client.calls import {calls}, Upload",
        "from airy_ray_client.model import as_it_is, nothing",
        f"from airy_ray_client.paging import {paging}",
    ]
    areas = dict.fromkeys(
        operation.area[:depth] for operation in found for depth in range(1, len(operation.area) + 1)
    )
    for area in sorted(areas):
        own = [operation for operation in found if operation.area == area]
        lines += _area(area, _below(area, areas), own, calls, is_async=is_async)
    lines += _area((), _below((), areas), (), calls, is_async=is_async)
    return _file(lines)


def _below(area: tuple[str, ...], areas: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(each for each in areas if each[:-1] == area)


def _area(
    area: tuple[str, ...],
    below: Iterable[tuple[str, ...]],
    own: Iterable[Operation],
    calls: str,
    *,
    is_async: bool,
) -> Iterator[str]:
    yield f"class {class_name(area) or 'Areas'}:"
    told = f"The endpoints `/{'.'.join(area)}.*`." if area else "All areas of the API."
    yield from _indented(_docstring(told))
    yield f"    def __init__(self, calls: {calls}) -> None:"
    if area:
        yield "        self._calls = calls"
    for each in below:
        yield f"        self.{each[-1]} = {class_name(each)}(calls)"
    for operation in own:
        yield from _indented(_method(operation, is_async=is_async))
        if operation.item:
            yield from _indented(_each(operation, is_async=is_async))


def _method(operation: Operation, *, is_async: bool) -> Iterator[str]:
    answer, reads = _answer(operation)
    names = [
        _parameter(argument.name, argument.annotation, argument.is_required)
        for argument in operation.arguments
    ]
    told = [(argument.name, argument.told) for argument in operation.arguments]
    if operation.is_command:
        names.append("idempotency_key: str | None = None")
    head = "async def" if is_async else "def"
    yield f"{head} {operation.name}({_parameters(names)}) -> {answer}:"
    yield from _indented(_docstring(*_told(operation), *_args(told)))
    pairs = ", ".join(f'"{each.key}": {each.name}' for each in operation.arguments)
    asked = operation.arguments[0].name if operation.takes_list else f"{{{pairs}}}"
    verb = "upload" if operation.is_upload else "command" if operation.is_command else "ask"
    key = ", idempotency_key" if operation.is_command else ""
    waits = "await " if is_async else ""
    call = f'{waits}self._calls.{verb}("{operation.path}", {asked}, {reads}{key})'
    yield f"    {call}" if answer == "None" else f"    return {call}"


def _answer(operation: Operation) -> tuple[str, str]:
    """Return how an answer is annotated, and what reads it."""
    if operation.is_file:
        return "bytes", "as_it_is"
    if operation.answer is None:
        return "None", "nothing"
    return f"models.{operation.answer}", f"models.{operation.answer}.model_validate_json"


def _each(operation: Operation, *, is_async: bool) -> Iterator[str]:
    """Yield the method that goes through a list."""
    kept = [argument for argument in operation.arguments if argument.key != "cursor"]
    names = [_parameter(each.name, each.annotation, each.is_required) for each in kept]
    name = "each" if operation.name == "list" else f"each_{operation.name}"
    kind = "AsyncIterator" if is_async else "Iterator"
    head = "async def" if is_async and not operation.is_paged else "def"
    yield f"{head} {name}({_parameters(names)}) -> {kind}[models.{operation.item}]:"
    pages = ", page by page" if operation.is_paged else ""
    yield from _indented(_docstring(f"Go through all that `{operation.name}` lists{pages}."))
    given = [f"{each.name}={each.name}" for each in kept]
    if operation.is_paged:
        call = f"self.{operation.name}({', '.join([*given, 'cursor=cursor'])})"
        yield f"    return {'each_async' if is_async else 'each'}(lambda cursor: {call})"
    elif is_async:
        yield f"    for item in (await self.{operation.name}({', '.join(given)})).data:"
        yield "        yield item"
    else:
        yield f"    yield from self.{operation.name}({', '.join(given)}).data"


def _parameter(name: str, shown: str, is_required: bool) -> str:
    if is_required:
        return f"{name}: {shown}"
    nullable = shown if shown == "Any" or shown.endswith("None") else f"{shown} | None"
    return f"{name}: {nullable} = None"


def _parameters(names: list[str]) -> str:
    return ", ".join(["self", "*", *names] if names else ["self"])


def _told(operation: Operation) -> list[str]:
    """Return what an endpoint says of itself; its summary too where that begins too long."""
    first, *more = operation.told.split("\n\n")
    if first and len(first) <= _FIRST_LINE:
        return [" ".join(first.split()), *more]
    return [f"{operation.summary}.", first, *more]


def _args(told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the part of a docstring that tells the arguments which need it."""
    lines = [f"{name}: {text}" for name, text in told if text]
    if lines:
        yield "Args:\n" + "\n".join(
            textwrap.fill(line, _WIDTH, initial_indent="    ", subsequent_indent=" " * 8)
            for line in lines
        )


def _docstring(*paragraphs: str) -> list[str]:
    shown = [
        each if each.startswith("Args:") else textwrap.fill(each, _WIDTH)
        for each in paragraphs
        if each
    ]
    text = "\n\n".join(shown).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return [f'"""{text}' + ('"""' if "\n" not in text else '\n"""')]


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield textwrap.indent(line, "    ")


def _file(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
