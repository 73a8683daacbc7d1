"""The API's description says of each endpoint what it takes and answers."""

from typing import Any

import pytest

from airy_ray.serve.api import shapes
from airy_ray.serve.api.app import ENDPOINTS, FILE_ENDPOINTS, description
from airy_ray.serve.api.documentation import Documentation
from airy_ray.serve.api.endpoint import Endpoint

DESCRIBED = description()


@pytest.fixture(params=ENDPOINTS.values(), ids=lambda endpoint: endpoint.path)
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    described: Endpoint = request.param
    return described


def operation(endpoint: Endpoint) -> Any:
    return DESCRIBED["paths"][endpoint.path]["post"]


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


def test_an_answer_with_a_body_has_a_shape(endpoint: Endpoint) -> None:
    told = operation(endpoint)["responses"][str(endpoint.status)]
    has_body = endpoint.status not in (202, 204) and endpoint.path != "/messages.resend"

    assert ("content" in told) == (endpoint.answers is not None) == has_body


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

    assert all(f"POST {path}</code>" in text for path in ENDPOINTS)
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text


def test_other_pages_are_no_documentation() -> None:
    assert Documentation(description).page("/docs/") is None


def test_a_shape_has_nothing_but_what_it_declares() -> None:
    with pytest.raises(ValueError, match="extra"):
        shapes.Tag.model_validate(
            {"id": "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001", "name": "", "color": "tag-red", "x": 1}
        )
