"""The API's description as OpenAPI 3.1: what `/openapi.json` serves and clients are made of.

FastAPI describes the endpoints; it does not serve them.
"""

import json
from collections.abc import Callable, Collection
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

from fastapi import FastAPI, UploadFile
from fastapi import Response as Plain

from airy_ray.model.json_text import NESTING_MAX
from airy_ray.serve.api.endpoint import Endpoint, FileEndpoint
from airy_ray.serve.api.events import EVENTS
from airy_ray.serve.api.openapi_examples import show_examples
from airy_ray.serve.api.scopes import scope_of
from airy_ray.serve.api.shapes import Problem, Shape, Uploaded

_DESCRIPTION = f"""
Every endpoint is called with POST and a JSON body; files are the exception. Unknown fields are
ignored; a number is taken where a text is expected; bodies may nest {NESTING_MAX} levels deep.
Errors have a body `{{"message": "..."}}` or none.

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
_SIGNATURE = {
    "name": "X-Airy-Content-Signature",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "description": "HMAC-SHA256 of the body with the webhook's `signature_key`, if it has one.",
}
_SIGNATURES = [
    _SIGNATURE,
    {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "schema": {"type": "string"},
        "description": "Of the event: the same on every attempt.",
    },
    {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "description": "Of the attempt: seconds since 1970.",
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "As Standard Webhooks has it, `v1`; two while the key is being changed.",
    },
]
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
_ALWAYS = (400, 403, 413, 415, 429, 503)
_WITHOUT_BODY = (403, 404)
"""Failures that mostly have no body, as the contract has it."""


def description(
    endpoints: Collection[Endpoint],
    file_endpoints: Collection[FileEndpoint] = (),
    download: Callable[..., object] | None = None,
) -> dict[str, Any]:
    """Return the description of endpoints: those of JSON, those that take files, and `download`."""
    app = FastAPI(
        title="airy-ray",
        version=version("airy-ray"),
        summary="Every messaging source in one inbox.",
        description=_DESCRIPTION.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for endpoint in endpoints:
        _describe(app, endpoint)
    for each in file_endpoints:
        _describe_upload(app, each)
    if download is not None:
        _describe_download(app, download)
    for kind, event in EVENTS.items():
        _describe_webhook(app, kind, event)
    described = app.openapi()
    _correct(described, endpoints)
    described = _with_titles_for_names(described)
    _describe_security(described, endpoints)
    _link(described, endpoints)
    show_examples(described, endpoints, file_endpoints)
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
        description=_told(endpoint),
        status_code=endpoint.status,
        response_model=endpoint.answers,
        response_description="Done." if endpoint.answers is None else "What was asked for.",
        tags=[_area(endpoint)],
        responses=responses,
        openapi_extra={"parameters": [_IDEMPOTENCY_KEY]} if endpoint.is_command else None,
    )


def _told(endpoint: Endpoint) -> str:
    """Return what an endpoint does, and which scope an API token needs for it."""
    needs = "" if endpoint.is_open else f"\n\nScope: `{scope_of(endpoint.path)}`."
    return cleandoc(endpoint.handler.__doc__ or "") + needs


def _describe_upload(app: FastAPI, endpoint: FileEndpoint) -> None:
    async def described(file: UploadFile) -> None:
        """Stand for the endpoint, which is served elsewhere."""

    app.add_api_route(
        endpoint.path,
        described,
        methods=["POST"],
        operation_id=_name(endpoint),
        summary=endpoint.summary,
        description=cleandoc(endpoint.handler.__doc__ or ""),
        response_model=Uploaded,
        response_description="Where the file can be fetched.",
        tags=[_area(endpoint)],
        responses={
            status: {"description": _FAILURES[status]}
            | ({} if status in _WITHOUT_BODY else {"model": Problem})
            for status in (*_ALWAYS, 409, 422)
        },
        openapi_extra={"parameters": [_IDEMPOTENCY_KEY]},
    )


def _describe_download(app: FastAPI, download: Callable[..., object]) -> None:
    async def described(name: str) -> None:
        """Stand for the files, which are served elsewhere."""

    for method in ("GET", "HEAD"):
        app.add_api_route(
            "/media/{name}",
            described,
            methods=[method],
            operation_id=f"media_{method.lower()}",
            summary="Fetch a file",
            description=cleandoc(download.__doc__ or ""),
            response_class=Plain,
            tags=["media"],
            responses={
                200: {"description": "The file.", "content": {"*/*": {}}},
                206: {"description": "The part of it that `Range` asks for."},
                304: {"description": "The caller has it already."},
                400: {"description": "The request is not understood."},
                404: {"description": "There is no such file."},
                416: {"description": "There is no such part of it."},
                503: {"description": "Not available now."},
            },
        )


def _describe_webhook(app: FastAPI, kind: str, event: type[Shape]) -> None:
    async def described(body: Any) -> None:
        """Stand for the program that is called."""

    described.__annotations__["body"] = event
    app.webhooks.add_api_route(
        kind,
        described,
        methods=["POST"],
        operation_id=f"on_{kind.replace('.', '_')}",
        summary=f"Called on {kind}",
        description=cleandoc(event.__doc__ or ""),
        response_description="It was taken; so tells any status below 400.",
        tags=["webhooks"],
        openapi_extra={"parameters": _SIGNATURES, "security": []},
    )


def _correct(described: dict[str, Any], endpoints: Collection[Endpoint]) -> None:
    """Take out what FastAPI adds for itself: our answer to a wrong body is 400, never 422."""
    for endpoint in endpoints:
        path = described["paths"][endpoint.path]
        path["post"]["requestBody"]["required"] = not endpoint.may_be_empty
        answers = path["post"]["responses"]
        for answer in answers.values():
            if answer.get("content") == {"application/json": {"schema": {}}}:
                del answer["content"]
        if endpoint.media_type != "application/json":
            binary = {"schema": {"type": "string", "format": "binary"}}
            answers[str(endpoint.status)]["content"] = {endpoint.media_type: binary}
        path["post"]["responses"] = dict(sorted(answers.items()))
    for webhook in described["webhooks"].values():
        del webhook["post"]["responses"]["200"]["content"]
    for methods in (*described["paths"].values(), *described["webhooks"].values()):
        for operation in methods.values():
            told = operation["responses"].get("422")
            if told is not None and told["description"] == "Validation Error":
                del operation["responses"]["422"]
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _with_titles_for_names(described: dict[str, Any]) -> dict[str, Any]:
    """Call the schemas of lists and pages as they are titled, not by pydantic's names for them."""
    schemas = described["components"]["schemas"]
    generic = {name: schema["title"] for name, schema in schemas.items() if name.endswith("_")}
    text = json.dumps(described)
    for name, title in generic.items():
        text = text.replace(f'"{name}"', f'"{title}"').replace(f'/{name}"', f'/{title}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


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
        return (item.__name__, "/data/0/id") if "id" in item.model_fields else None
    return None


def _field_for(shape: str, maker: Endpoint, taker: Endpoint) -> str:
    """Return under which name `taker` would take the id of a thing."""
    if _area(maker) == _area(taker) and shape not in _NAMED_IDS:
        return "id"
    return _NAMED_IDS.get(shape, "")


def _name(endpoint: Endpoint | FileEndpoint) -> str:
    return endpoint.path.strip("/").replace("-", "_").replace(".", "_")


def _area(endpoint: Endpoint | FileEndpoint) -> str:
    return endpoint.path.strip("/").partition(".")[0]
