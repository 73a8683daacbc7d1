"""One call over HTTP: what is sent, what an answer means, and when it is worth another try.

Every call may be repeated: those that change nothing as they are, commands because they have an
`Idempotency-Key`, with which the platform takes all tries for one command.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict, TypeVar
from uuid import uuid4

import httpx
import stamina
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from airy_ray_client.errors import AiryError

Answer = TypeVar("Answer")
Reads: TypeAlias = Callable[[bytes], Answer]
"""Makes an answer of a body."""

Asked: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""What a body says: an object, or a list."""

Upload: TypeAlias = tuple[str, bytes]
"""A file: its name, and what is in it."""

_BUSY = (429, 503)
_PASSING = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
_RETRY_AFTER_MAX_S = 30.0
"""Whoever is sent away for longer is told so at once."""


@dataclass(frozen=True)
class Retries:
    """How often a call is tried in all, and how long is waited between: longer each time."""

    attempts: int
    wait_initial_s: float = 0.2
    wait_max_s: float = 5.0

    def context(self) -> Any:
        """Return the tries of one call."""
        return stamina.retry_context(
            on=_wait,
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.wait_initial_s,
            wait_max=self.wait_max_s,
            wait_jitter=self.wait_initial_s,
        )


class Calls:
    """Calls that wait for their answer."""

    def __init__(self, http: httpx.Client, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    def ask(self, path: str, asked: Asked, reads: Reads[Answer]) -> Answer:
        """Call an endpoint that changes nothing."""
        return self._call(path, _json(asked), reads)

    def command(self, path: str, asked: Asked, reads: Reads[Answer], key: str | None) -> Answer:
        """Call an endpoint that changes something: once, however often it is tried."""
        return self._call(path, _json(asked, key or str(uuid4())), reads)

    def upload(
        self, path: str, asked: Mapping[str, Any], reads: Reads[Answer], key: str | None = None
    ) -> Answer:
        """Call an endpoint that takes a form with files."""
        return self._call(path, _form(asked, key or str(uuid4())), reads)

    def _call(self, path: str, request: "_Request", reads: Reads[Answer]) -> Answer:
        for attempt in self._retries.context():
            with attempt:
                try:
                    response = self._http.post(path, **request)
                except httpx.HTTPError as error:
                    raise _unanswered(error) from error
                return _answer(response, reads)
        raise AssertionError("the last try returns or raises")


class AsyncCalls:
    """Calls whose answer is awaited."""

    def __init__(self, http: httpx.AsyncClient, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    async def ask(self, path: str, asked: Asked, reads: Reads[Answer]) -> Answer:
        """Call an endpoint that changes nothing."""
        return await self._call(path, _json(asked), reads)

    async def command(
        self, path: str, asked: Asked, reads: Reads[Answer], key: str | None
    ) -> Answer:
        """Call an endpoint that changes something: once, however often it is tried."""
        return await self._call(path, _json(asked, key or str(uuid4())), reads)

    async def upload(
        self, path: str, asked: Mapping[str, Any], reads: Reads[Answer], key: str | None = None
    ) -> Answer:
        """Call an endpoint that takes a form with files."""
        return await self._call(path, _form(asked, key or str(uuid4())), reads)

    async def _call(self, path: str, request: "_Request", reads: Reads[Answer]) -> Answer:
        async for attempt in self._retries.context():
            with attempt:
                try:
                    response = await self._http.post(path, **request)
                except httpx.HTTPError as error:
                    raise _unanswered(error) from error
                return _answer(response, reads)
        raise AssertionError("the last try returns or raises")


class _Request(TypedDict, total=False):
    content: bytes
    headers: Mapping[str, str]
    files: Mapping[str, Upload]
    data: Mapping[str, Any]


def _json(asked: Asked, key: str | None = None) -> _Request:
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["idempotency-key"] = key
    given = _given(asked) if isinstance(asked, Mapping) else asked
    return {"content": to_json(given), "headers": headers}


def _form(asked: Mapping[str, Any], key: str) -> _Request:
    given = _given(asked)
    files = {name: value for name, value in given.items() if isinstance(value, tuple)}
    fields = {name: given[name] for name in given if name not in files}
    return {"files": files, "data": fields, "headers": {"idempotency-key": key}}


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not None, which counts as absent."""
    return {name: value for name, value in asked.items() if value is not None}


def _answer(response: httpx.Response, reads: Reads[Answer]) -> Answer:
    if not response.is_success:
        retry_after_s = _seconds(response.headers.get("retry-after"))
        raise AiryError(response.status_code, _reason(response), retry_after_s)
    try:
        try:
            return reads(response.content)
        except ValidationError:
            return reads(_without_halves(response.content))
    except ValueError as error:
        raise AiryError(response.status_code, "the answer is not what is described") from error


def _without_halves(body: bytes) -> bytes:
    """Return a body without halves of surrogate pairs, which people write and pydantic refuses."""
    return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")


def _reason(response: httpx.Response) -> str:
    """Return what a refusal says; many have no body."""
    try:
        return str(from_json(response.content)["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _unanswered(error: httpx.HTTPError) -> AiryError:
    return AiryError(None, str(error) or type(error).__name__)


def _wait(error: Exception) -> bool | float:
    """Return whether to try again, or after how many seconds."""
    if not isinstance(error, AiryError):
        return False
    if error.status is None:
        return isinstance(error.__cause__, _PASSING)
    if error.status not in _BUSY:
        return False
    if error.retry_after_s is None:
        return True
    return error.retry_after_s if error.retry_after_s <= _RETRY_AFTER_MAX_S else False


def _seconds(retry_after: str | None) -> float | None:
    """Return for how long a header asks to wait; None for a date, which clocks differ about."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
