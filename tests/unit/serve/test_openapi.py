"""The API's description says of each endpoint what it takes and answers."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from airy_ray.serve.api import shapes
from airy_ray.serve.api.app import ENDPOINTS, FILE_ENDPOINTS, description
from airy_ray.serve.api.documentation import Documentation
from airy_ray.serve.api.endpoint import Endpoint, parsed
from airy_ray.serve.api.events import EVENTS

DESCRIBED = description()


@pytest.fixture(params=ENDPOINTS.values(), ids=lambda endpoint: endpoint.path)
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    described: Endpoint = request.param
    return described


def operation(endpoint: Endpoint) -> Any:
    return DESCRIBED["paths"][endpoint.path]["post"]


def examples(body: Any) -> list[Any]:
    """Return the examples that are shown with a JSON body."""
    named = DESCRIBED["components"]["examples"]
    return [
        named[example["$ref"].rpartition("/")[2]]["value"]
        if "$ref" in example
        else example["value"]
        for example in body["content"]["application/json"]["examples"].values()
    ]


def mistakes(example: Any, body: Any) -> list[str]:
    """Return in what an example differs from the schema of a body, unknown fields included."""
    schema = closed(body["content"]["application/json"]["schema"])
    whole = {**schema, "components": closed(DESCRIBED["components"])}
    validator = Draft202012Validator(whole, validate_formats=True)
    return [error.message for error in validator.iter_errors(example)]


def closed(schema: Any) -> Any:
    """Return a schema under which objects have no fields but those that are declared."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(part) for key, part in schema.items()}
    is_object = schema.get("type") == "object" and "properties" in schema
    return {"additionalProperties": False} | parts if is_object else parts


def test_the_description_is_openapi_3_1() -> None:
    assert DESCRIBED["openapi"].startswith("3.1.")
    assert set(DESCRIBED["paths"]) == {*ENDPOINTS, *FILE_ENDPOINTS, "/media/{name}"}


def test_an_endpoint_says_what_it_is_for(endpoint: Endpoint) -> None:
    told = operation(endpoint)

    assert told["summary"]
    assert told["description"].endswith((".", "`"))
    assert "    " not in told["description"]


def test_an_endpoint_tells_its_statuses(endpoint: Endpoint) -> None:
    told = operation(endpoint)["responses"]
    repeated = (409,) if endpoint.is_command else ()
    always = (400, 403, 413, 415, 429, 503)
    failures = {str(status) for status in (*endpoint.failures, *always, *repeated)}

    assert set(told) == {str(endpoint.status), *map(str, endpoint.also_answers)} | failures


WITHOUT_BODY = {"/messages.resend", "/sources.webhook"}
"""Whose success is told with 200 and nothing else."""


def test_an_answer_with_a_body_has_a_shape(endpoint: Endpoint) -> None:
    told = operation(endpoint)["responses"][str(endpoint.status)]
    has_body = endpoint.status not in (202, 204) and endpoint.path not in WITHOUT_BODY

    assert ("content" in told) == (endpoint.answers is not None) == has_body


def test_the_example_of_a_request_is_accepted(endpoint: Endpoint) -> None:
    body = operation(endpoint)["requestBody"]

    for example in examples(body):
        assert parsed(endpoint, json.dumps(example).encode())
        assert mistakes(example, body) == []


def test_examples_of_answers_are_as_described(endpoint: Endpoint) -> None:
    good = (endpoint.status, *endpoint.also_answers)
    answers = [operation(endpoint)["responses"][str(status)] for status in (*good, 400)]
    bodies = [answer for answer in answers if "application/json" in answer.get("content", {})]

    assert [mistakes(example, body) for body in bodies for example in examples(body)] == [
        [] for _ in bodies
    ]


def test_an_example_that_is_not_as_described_is_a_mistake() -> None:
    body = operation(ENDPOINTS["/conversations.tag"])["requestBody"]
    [example] = examples(body)

    assert mistakes(example | {"tag_id": "vip"}, body) == ['"vip" is not a "uuid"']
    assert mistakes(example | {"tag": "vip"}, body)
    assert mistakes({}, body)


@pytest.mark.parametrize("path", FILE_ENDPOINTS)
def test_an_upload_has_examples(path: str) -> None:
    told = DESCRIBED["paths"][path]["post"]
    form = told["requestBody"]["content"]["multipart/form-data"]

    assert [list(example["value"]) for example in form["examples"].values()] == [["file"]]
    [answered] = examples(told["responses"]["200"])
    assert mistakes(answered, told["responses"]["200"]) == []


@pytest.mark.parametrize("kind", EVENTS)
def test_the_example_of_an_event_is_as_described(kind: str) -> None:
    body = DESCRIBED["webhooks"][kind]["post"]["requestBody"]
    [example] = examples(body)

    assert example["type"] == kind
    assert mistakes(example, body) == []


def test_events_hold_the_shapes_of_the_api() -> None:
    schemas = DESCRIBED["components"]["schemas"]

    assert set(DESCRIBED["webhooks"]) == set(EVENTS)
    assert schemas["PlacedMessage"]["properties"]["message"] == ref("Message")
    assert schemas["ChangedConversation"]["properties"]["last_message"] == ref("Message")
    assert schemas["ChannelUpdated"]["properties"]["payload"] == ref("Channel")


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_webhook_tells_by_what_it_is_known_and_signed() -> None:
    for webhook in DESCRIBED["webhooks"].values():
        headers = {each["name"] for each in webhook["post"]["parameters"]}
        assert {"X-Airy-Content-Signature", "webhook-id", "webhook-signature"} <= headers


def test_only_commands_take_an_idempotency_key(endpoint: Endpoint) -> None:
    parameters = [each["name"] for each in operation(endpoint).get("parameters", [])]

    assert parameters == (["Idempotency-Key"] if endpoint.is_command else [])


def test_operations_have_names_of_their_own() -> None:
    names = [operation(endpoint)["operationId"] for endpoint in ENDPOINTS.values()]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_the_page_shows_every_endpoint_and_needs_nothing_from_elsewhere() -> None:
    page = Documentation(description).page("/docs")
    assert page is not None
    text = page.body.decode()
    links = Links()
    links.feed(text)

    assert all(f"<code>POST {path}</code>" in text for path in ENDPOINTS)
    assert all(f"<code>{kind}</code>" in text for kind in EVENTS)
    assert links.found
    assert all(link.startswith(("#", "/")) for link in links.found)
    assert not {"script", "link", "img", "iframe", "object"} & links.tags
    assert "url(" not in text
    assert "@import" not in text


class Links(HTMLParser):
    """What a page leads to or loads, and its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_the_page_shows_examples() -> None:
    page = Documentation(description).page("/docs")
    assert page is not None
    text = page.body.decode()

    assert text.count("Example of a body") == len(ENDPOINTS) + len(FILE_ENDPOINTS) + len(EVENTS)
    assert '"text": "We do, within a week."' in text


def test_other_pages_are_no_documentation() -> None:
    assert Documentation(description).page("/docs/") is None


def test_a_shape_has_nothing_but_what_it_declares() -> None:
    with pytest.raises(ValueError, match="extra"):
        shapes.Tag.model_validate(
            {"id": "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001", "name": "", "color": "tag-red", "x": 1}
        )
