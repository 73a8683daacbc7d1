"""The API's description as OpenAPI 3.1: what `/openapi.json` serves and clients are made of.

FastAPI describes the endpoints; it does not serve them.
"""

from collections.abc import Collection
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

from fastapi import FastAPI

from airy_ray.model.json_text import NESTING_MAX
from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.shapes import Problem

_DESCRIPTION = f"""
Every endpoint is called with POST and a JSON body. Unknown fields are ignored; a number is taken
where a text is expected; bodies may nest {NESTING_MAX} levels deep. Errors have a body
`{{"message": "..."}}` or none.

A repeated command with the same `Idempotency-Key` is one command, and gets the first answer.

Lists give a `next_cursor`, null on the last page. Cursors are opaque and stay good while new
things arrive.
"""
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Any text of the caller's; known for a day.",
}
_FAILURES = {
    400: "The body is missing, malformed or not what is asked for.",
    401: "The token is not valid.",
    403: "The caller may not do this, or the channel is not connected.",
    404: "There is none.",
    409: "It is not in a state for this, or the idempotency key was used for another request.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The upload has no file name.",
    429: "Too many requests; `Retry-After` tells when to come back.",
    500: "The platform of the channel refused.",
    503: "Not available now; nothing was done, or it will be.",
}
_NAMED_IDS = {
    "Channel": "channel_id",
    "Conversation": "conversation_id",
    "Message": "message_id",
}
"""Under which names ids are taken outside of their own area."""
_ALWAYS = (400, 403, 413, 415, 503)
_WITHOUT_BODY = (403, 404)
"""Failures that mostly have no body, as the contract has it."""


def description(endpoints: Collection[Endpoint]) -> dict[str, Any]:
    """Return the description of endpoints."""
    app = FastAPI(
        title="airy-ray",
        version=version("airy-ray"),
        summary="Every messaging source in one inbox.",
        description=_DESCRIPTION.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for endpoint in endpoints:
        _describe(app, endpoint)
    described = app.openapi()
    _correct(described, endpoints)
    _describe_security(described, endpoints)
    _link(described, endpoints)
    return described


def _describe(app: FastAPI, endpoint: Endpoint) -> None:
    async def described(body: Any) -> None:
        """Stand for the endpoint, which is served elsewhere."""

    described.__annotations__["body"] = endpoint.takes
    failures = {*_ALWAYS, *endpoint.failures} | ({409} if endpoint.is_command else set())
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": _FAILURES[status]}
        | ({} if status in _WITHOUT_BODY else {"model": Problem})
        for status in failures
    }
    responses |= {
        status: {"description": told, "model": endpoint.answers}
        for status, told in endpoint.also_answers.items()
    }
    app.add_api_route(
        endpoint.path,
        described,
        methods=["POST"],
        operation_id=_name(endpoint),
        summary=endpoint.summary,
        description=cleandoc(endpoint.handler.__doc__ or ""),
        status_code=endpoint.status,
        response_model=endpoint.answers,
        response_description="Done." if endpoint.answers is None else "What was asked for.",
        tags=[_area(endpoint)],
        responses=responses,
        openapi_extra={"parameters": [_IDEMPOTENCY_KEY]} if endpoint.is_command else None,
    )


def _correct(described: dict[str, Any], endpoints: Collection[Endpoint]) -> None:
    """Take out what FastAPI adds for itself: our answer to a wrong body is 400, never 422."""
    for endpoint in endpoints:
        path = described["paths"][endpoint.path]
        path["post"]["requestBody"]["required"] = not endpoint.may_be_empty
        answers = path["post"]["responses"]
        told = answers.get("422")
        if told is not None and told["description"] == "Validation Error":
            del answers["422"]
        for answer in answers.values():
            if answer.get("content") == {"application/json": {"schema": {}}}:
                del answer["content"]
        content = answers[str(endpoint.status)].get("content")
        if content is not None and endpoint.media_type not in content:
            content[endpoint.media_type] = content.pop("application/json")
        path["post"]["responses"] = dict(sorted(answers.items()))
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _describe_security(described: dict[str, Any], endpoints: Collection[Endpoint]) -> None:
    described["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "The system token, an API token or a JWT; with or without `Bearer`.",
        },
        "visitor": {
            "type": "http",
            "scheme": "bearer",
            "description": "What `chatplugin.authenticate` gave the visitor of a website.",
        },
    }
    described["security"] = [{}, {"token": []}]
    for endpoint in endpoints:
        if endpoint.is_open:
            needs: list[dict[str, Any]] = [{"visitor": []}] if endpoint.is_visitors else []
            described["paths"][endpoint.path]["post"]["security"] = needs


def _link(described: dict[str, Any], endpoints: Collection[Endpoint]) -> None:
    """Tell which answers hold the ids that other endpoints take."""
    for endpoint in endpoints:
        found = _id_in(endpoint.answers)
        if found is None:
            continue
        shape, pointer = found
        links = {
            f"{field} of {_name(taker)}": {
                "operationId": _name(taker),
                "requestBody": {field: f"$response.body#{pointer}"},
            }
            for taker in endpoints
            if (field := _field_for(shape, endpoint, taker)) in taker.takes.model_fields
        }
        described["paths"][endpoint.path]["post"]["responses"][str(endpoint.status)]["links"] = (
            links
        )


def _id_in(answers: Any) -> tuple[str, str] | None:
    """Return of what kind of thing an answer holds the id, and where."""
    if answers in (None, bytes):
        return None
    fields = answers.model_fields
    if "id" in fields:
        return answers.__name__, "/id"
    if "data" in fields:
        (item,) = fields["data"].annotation.__args__
        return item.__name__, "/data/0/id"
    return None


def _field_for(shape: str, maker: Endpoint, taker: Endpoint) -> str:
    """Return under which name `taker` would take the id of a thing."""
    if _area(maker) == _area(taker) and shape not in _NAMED_IDS:
        return "id"
    return _NAMED_IDS.get(shape, "")


def _name(endpoint: Endpoint) -> str:
    return endpoint.path.strip("/").replace("-", "_").replace(".", "_")


def _area(endpoint: Endpoint) -> str:
    return endpoint.path.strip("/").partition(".")[0]
