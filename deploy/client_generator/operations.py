"""The endpoints of a description, as methods: their names, arguments and answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.client_generator.names import python_name
from deploy.client_generator.schemas import ANSWERED, TAKEN, Schema, Schemas, annotation

Description = Mapping[str, Any]

_JSON = "application/json"
_FORM = "multipart/form-data"


@dataclass(frozen=True)
class Argument:
    """One field of a request's body, as an argument of a method."""

    key: str
    name: str
    annotation: str
    told: str
    is_required: bool


@dataclass(frozen=True)
class Operation:
    """One endpoint as a method.

    Attributes:
        area: under which attributes of the client it is found.
        answer: the model of the answer; None without one.
        is_file: whether the answer is a file, which has no model.
        item: the model of the items, if the answer is a list.
        is_paged: whether that list comes in pages.
        takes_list: whether its one argument is the whole body.
    """

    path: str
    area: tuple[str, ...]
    name: str
    summary: str
    told: str
    arguments: tuple[Argument, ...]
    answer: str | None
    is_file: bool
    item: str | None
    is_paged: bool
    is_command: bool
    is_upload: bool
    takes_list: bool


def operations(description: Description) -> list[Operation]:
    """Return a description's endpoints, in its order; of aliases the first only."""
    schemas = Schemas(description)
    found: dict[tuple[str, ...], Operation] = {}
    for path, methods in description["paths"].items():
        if "post" in methods:
            operation = _operation(schemas, path, methods["post"])
            found.setdefault((*operation.area, operation.name), operation)
    return list(found.values())


def _operation(schemas: Schemas, path: str, described: Schema) -> Operation:
    *area, name = (python_name(part) for part in path.strip("/").replace("/", ".").split("."))
    form = described["requestBody"]["content"]
    answer = _answer(path, described["responses"])
    body = schemas.resolved((form.get(_JSON) or form[_FORM])["schema"])
    fields = schemas.named(answer).get("properties", {}) if answer else {}
    items = fields.get("data", {}).get("items")
    return Operation(
        path=path,
        area=tuple(area),
        name=name,
        summary=described["summary"],
        told=described.get("description", ""),
        arguments=tuple(_arguments(body) if "items" not in body else [_whole(area[-1], body)]),
        answer=answer,
        is_file=_is_file(described["responses"]),
        item=annotation(items, ANSWERED) if items else None,
        is_paged="pagination_data" in fields,
        is_command=any(
            each["name"].lower() == "idempotency-key" for each in described.get("parameters", ())
        ),
        is_upload=_JSON not in form,
        takes_list="items" in body,
    )


def _is_file(responses: Schema) -> bool:
    """Whether all good answers have a body that is not JSON."""
    good = [answer for status, answer in responses.items() if status.startswith("2")]
    return all("content" in answer and _JSON not in answer["content"] for answer in good)


def _answer(path: str, responses: Schema) -> str | None:
    """Return the model of an endpoint's answers; it has one for all statuses that are good."""
    if _is_file(responses):
        return None
    good = [answer for status, answer in responses.items() if status.startswith("2")]
    schemas = [
        answer["content"][_JSON]["schema"] if "content" in answer else {"$ref": ""}
        for answer in good
    ]
    names = {schema.get("$ref", "?").rpartition("/")[2] for schema in schemas}
    if len(names) != 1 or "?" in names:
        raise ValueError(f"{path}: answers need one model for all statuses, or none")
    return names.pop() or None


def _whole(name: str, schema: Schema) -> Argument:
    """Return the argument that is a body which is a list."""
    told = schema.get("description", "")
    return Argument("", name, annotation(schema, TAKEN), told, is_required=True)


def _arguments(schema: Schema) -> Iterator[Argument]:
    """Yield the arguments, those first that have to be given."""
    required = schema.get("required", ())
    fields = schema.get("properties", {})
    for key, field in sorted(fields.items(), key=lambda each: each[0] not in required):
        yield Argument(
            key=key,
            name=python_name(key),
            annotation=annotation(field, TAKEN),
            told=field.get("description", ""),
            is_required=key in required,
        )
