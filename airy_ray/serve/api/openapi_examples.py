"""Where the description shows examples: with every body, by reference, so that each is told once.

They come from the models' configuration, lists are put together out of their items', and an
endpoint's own take their place. Not from the schemas: FastAPI leaves nulls out of those.
"""

from collections.abc import Collection, Iterator
from typing import Any

from airy_ray.serve.api import examples
from airy_ray.serve.api.endpoint import Endpoint, FileEndpoint
from airy_ray.serve.api.events import EVENTS
from airy_ray.serve.api.shapes import Problem, Uploaded

_JSON = "application/json"
_FORM = "multipart/form-data"


def show_examples(
    described: dict[str, Any],
    endpoints: Collection[Endpoint],
    file_endpoints: Collection[FileEndpoint],
) -> None:
    """Show examples with the bodies of requests, good answers, wrong requests, and webhooks."""
    for schema in described["components"]["schemas"].values():
        schema.pop("examples", None)
    shown: dict[str, Any] = {}
    for model, body in _bodies(described, endpoints, file_endpoints):
        value = _example_of(model)
        if value is not None and _JSON in body.get("content", {}):
            name = model.__name__
            shown[name] = {"value": value}
            body["content"][_JSON]["examples"] = {name: {"$ref": f"#/components/examples/{name}"}}
    described["components"]["examples"] = dict(sorted(shown.items()))
    for endpoint in endpoints:
        answers = described["paths"][endpoint.path]["post"]["responses"]
        for status, value in endpoint.examples.items():
            answers[str(status)]["content"][_JSON]["examples"] = {"answer": {"value": value}}
    for each in file_endpoints:
        form = described["paths"][each.path]["post"]["requestBody"]["content"][_FORM]
        form["examples"] = {"file": {"value": examples.UPLOAD}}


def _bodies(
    described: dict[str, Any],
    endpoints: Collection[Endpoint],
    file_endpoints: Collection[FileEndpoint],
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the bodies whose examples are their models', with those."""
    for endpoint in endpoints:
        operation = described["paths"][endpoint.path]["post"]
        answers = operation["responses"]
        yield endpoint.takes, operation["requestBody"]
        yield Problem, answers["400"]
        for status in {endpoint.status, *endpoint.also_answers} - set(endpoint.examples):
            yield endpoint.answers, answers[str(status)]
    for each in file_endpoints:
        yield Uploaded, described["paths"][each.path]["post"]["responses"]["200"]
    for kind, event in EVENTS.items():
        yield event, described["webhooks"][kind]["post"]["requestBody"]


def _example_of(model: Any) -> Any:
    """Return the example of a model, or of a list of some; None if there is none."""
    if model in (None, bytes):
        return None
    if "json_schema_extra" in model.model_config:
        return model.model_config["json_schema_extra"]["examples"][0]
    if "data" not in model.model_fields:
        return None
    (item,) = model.model_fields["data"].annotation.__args__
    listed = {"data": [_example_of(item)]}
    if "pagination_data" not in model.model_fields:
        return listed
    return listed | {
        "pagination_data": _example_of(model.model_fields["pagination_data"].annotation)
    }
