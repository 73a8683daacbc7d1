"""An endpoint: a path, what it takes, what it does. The table of all of them is in `app`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import from_json

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.model.ids import parse_id
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Receive, Response, Streamed


class Body(BaseModel):
    """What a request's body may say. Unknown fields are ignored, numbers taken for strings (§1)."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)


class Nothing(Body):
    """A body of which nothing is read."""

    model_config = example({})


def _absent_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _identifier(value: Any) -> Any:
    """Return the bytes of an id given as text; an empty text counts as absent."""
    if not isinstance(value, str):
        return value
    try:
        return parse_id(value)
    except ValueError:
        raise ValueError("not a UUID") from None


Id = Annotated[bytes, BeforeValidator(_identifier, json_schema_input_type=UUID)]
"""The id of something, a UUID in the body."""

OptionalId = Annotated[
    Id | None, BeforeValidator(_absent_if_empty, json_schema_input_type=UUID | None)
]
"""The same, or nothing; an empty text is nothing."""

OptionalText = Annotated[
    str | None, BeforeValidator(_absent_if_empty, json_schema_input_type=str | None)
]
"""A text, or nothing; an empty text is nothing."""

Handler = Callable[[Platform, Caller, Any], Awaitable[Response | Streamed]]

READING = frozenset({"config", "info", "list", "recent-messages", "search"})
"""The verbs of endpoints that need no more than their area's scope for reading."""

_QUESTIONS = READING | {
    "attempts",
    "authenticate",
    "erasure-status",
    "explore",
    "export",
    "generations",
    "get",
    "resumeToken",
    "status",
}
"""The verbs of endpoints that change nothing."""


@dataclass(frozen=True)
class Endpoint:
    """One path of the API.

    Attributes:
        takes: the model of the body.
        answers: what a body of `status` looks like, for the documentation; None without one.
        also_answers: other statuses that are no failures, and what they mean.
        examples: of what it answers, by status, where that of the shape would mislead.
        failures: statuses of failures beside those that any endpoint may answer.
        may_be_empty: whether a request without a body is one with an empty object (§1).
        media_type: of the body of `status`.
        is_open: whether it does without the API's own authentication.
        is_visitors: whether it takes the token of a website's visitor instead.
    """

    path: str
    handler: Handler
    takes: type[BaseModel]
    summary: str
    answers: Any = None
    status: int = 200
    also_answers: Mapping[int, str] = field(default_factory=dict)
    examples: Mapping[int, Any] = field(default_factory=dict)
    failures: tuple[int, ...] = ()
    may_be_empty: bool = False
    media_type: str = "application/json"
    is_open: bool = False
    is_visitors: bool = False

    @property
    def is_command(self) -> bool:
        """Whether it changes something, so that repeating it matters."""
        return self.path.rpartition(".")[2] not in _QUESTIONS


FileHandler = Callable[[Platform, Caller, Receive], Awaitable[Response]]


@dataclass(frozen=True)
class FileEndpoint:
    """A path of the API that takes one file as `multipart/form-data`, in a part called `file`.

    Attributes:
        handler: reads the body piece by piece; its caller has none.
    """

    path: str
    handler: FileHandler
    summary: str


_E = TypeVar("_E", Endpoint, FileEndpoint)


def aliases(endpoint: _E, *paths: str) -> list[_E]:
    """Return an endpoint under its own path and under others."""
    return [replace(endpoint, path=path) for path in (endpoint.path, *paths)]


def parsed(endpoint: Endpoint, body: bytes) -> BaseModel:
    """Return what a body says.

    Raises:
        RequestError: 400, with what is wrong in words.
    """
    if not body:
        if not endpoint.may_be_empty:
            raise RequestError(400, "a JSON body is required")
        body = b"{}"
    if json_text.nests_too_deep(body):
        raise RequestError(400, "the body is nested too deeply")
    try:
        return _validated(endpoint, body)
    except RequestError:
        shielded = json_text.shield(body)  # pydantic refuses lone surrogates, browsers send them
        if shielded == body:
            raise
    return _validated(endpoint, shielded)


def _validated(endpoint: Endpoint, body: bytes) -> BaseModel:
    try:
        value = from_json(body, allow_inf_nan=False)  # pydantic's models would take NaN for JSON
        return endpoint.takes.model_validate(value)
    except ValidationError as error:
        raise RequestError(400, told(error)) from None
    except ValueError as error:
        raise RequestError(400, f"not JSON: {error}") from None


def told(error: ValidationError) -> str:
    """Return the first mistake in words, without the value that was sent."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
