"""The Python client is what the API's description makes of it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from airy_ray.serve.api.app import description
from deploy.client_generator.__main__ import differing, formatted
from deploy.client_generator.names import python_name
from deploy.client_generator.schemas import ANSWERED, TAKEN, annotation
from deploy.client_generator.source import sources

DESCRIBED = description()
COMMITTED = Path(__file__).parents[3] / "ui/packages/client/openapi.json"


def test_the_committed_description_is_that_of_the_api() -> None:
    assert json.loads(COMMITTED.read_text()) == DESCRIBED, "run `make clients`"


def test_the_committed_client_is_made_of_the_description() -> None:
    assert differing(formatted(DESCRIBED)) == [], "run `make clients`"


@pytest.mark.parametrize(
    ("schema", "answered", "taken"),
    [
        ({"type": "string"}, "str", "str"),
        ({"type": "string", "format": "uuid"}, "UUID", "UUID | str"),
        ({"type": "array", "items": {"type": "integer"}}, "list[int]", "Sequence[int]"),
        ({"type": "object", "additionalProperties": True}, "dict[str, Any]", "Mapping[str, Any]"),
        ({"anyOf": [{"type": "null"}, {"type": "number"}]}, "float | None", "float | None"),
        ({"type": ["boolean", "null"]}, "bool | None", "bool | None"),
        ({"enum": ["a", None]}, 'Literal["a"] | None', 'Literal["a"] | None'),
        ({"const": "a"}, 'Literal["a"]', 'Literal["a"]'),
        ({}, "Any", "Any"),
        ({"anyOf": [{}, {"type": "null"}]}, "Any", "Any"),
        ({"$ref": "#/components/schemas/Tag"}, "Tag", "arguments.Tag"),
        ({"type": "string", "format": "binary"}, "bytes", "Upload"),
        (
            {
                "type": "object",
                "additionalProperties": {
                    "anyOf": [{"$ref": "#/components/schemas/Tag"}, {"type": "null"}]
                },
            },
            "dict[str, Tag | None]",
            "Mapping[str, arguments.Tag | None]",
        ),
    ],
)
def test_schemas_have_annotations(schema: Any, answered: str, taken: str) -> None:
    assert (annotation(schema, ANSWERED), annotation(schema, TAKEN)) == (answered, taken)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mark-read", "mark_read"), ("resumeToken", "resume_token"), ("from", "from_"), ("id", "id")],
)
def test_names_are_those_of_python(name: str, expected: str) -> None:
    assert python_name(name) == expected


def test_an_endpoint_is_a_method_of_its_area() -> None:
    made = methods(described("/sources.mail.connect", {"properties": {"from": {"type": "string"}}}))

    assert made["SourcesMail"] == ["connect"]


def test_an_alias_is_no_second_method() -> None:
    made = methods(described("/a.set-state", {}), described("/a.setState", {}))

    assert made["A"] == ["set_state"]


def test_a_form_is_sent_as_one() -> None:
    field = {"type": "string", "format": "binary"}
    schema = {"properties": {"file": field}, "required": ["file"]}
    made = source(described("/media.upload", schema, form="multipart/form-data"))["areas.py"]

    assert "file: Upload" in made
    assert "self._calls.upload(" in made
    assert "idempotency_key" not in made


def test_a_form_that_takes_a_key_is_sent_with_it() -> None:
    field = {"type": "string", "format": "binary"}
    schema = {"properties": {"file": field}, "required": ["file"]}
    described_form = described("/media.upload", schema, form="multipart/form-data")
    described_form["/media.upload"]["post"]["parameters"] = [{"name": "Idempotency-Key"}]
    made = source(described_form)["areas.py"]

    assert "idempotency_key: str | None = None" in made
    assert "nothing, idempotency_key)" in made


def source(*paths: dict[str, Any]) -> dict[str, str]:
    merged = {path: operation for each in paths for path, operation in each.items()}
    return sources({"paths": merged, "components": {"schemas": {}}})


def methods(*paths: dict[str, Any]) -> dict[str, list[str]]:
    parsed = ast.parse(source(*paths)["areas.py"])
    return {
        found.name: [
            each.name
            for each in found.body
            if isinstance(each, ast.FunctionDef) and each.name != "__init__"
        ]
        for found in parsed.body
        if isinstance(found, ast.ClassDef)
    }


def described(path: str, schema: Any, form: str = "application/json") -> dict[str, Any]:
    return {
        path: {
            "post": {
                "summary": "Do it",
                "description": "Do it.",
                "requestBody": {"content": {form: {"schema": schema}}},
                "responses": {"204": {"description": "Done."}},
            }
        }
    }
