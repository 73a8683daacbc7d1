"""The recorded payloads in `tests/fixtures`, as they go over the wire; their form: sources §14."""

import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

FIXTURES = Path(__file__).parents[1] / "fixtures"

AS_PROXIED = {"x-forwarded-proto": "https", "x-forwarded-host": "core.example.org"}
"""The address that the signatures of the manifests are over."""
NOTHING_TO_SAY = "<Response></Response>"
BOT_TOKENS = {bot: f"{bot}:AAH-simulated" for bot in ("7012345678", "5999999999")}
BOT_SECRET = "X-Telegram-Bot-Api-Secret-Token"


@dataclass(frozen=True)
class Case:
    """One request of a platform, and what is to come of it."""

    source: str
    told: dict[str, Any]

    @property
    def file(self) -> str:
        return str(self.told["file"])

    @property
    def body(self) -> bytes:
        return (FIXTURES / self.source / self.file).read_bytes()

    @property
    def path(self) -> str:
        request = self.told["request"]
        return str(request["path"]) + (f"?{request['query']}" if "query" in request else "")

    @property
    def headers(self) -> dict[str, str]:
        request = self.told["request"]
        headers = {"content-type": request["content_type"], **request.get("headers", {})}
        if self.source == "telegram":
            return headers | self._told_secret(headers)
        return headers | AS_PROXIED if self.source.startswith("twilio") else headers

    def _told_secret(self, headers: dict[str, str]) -> dict[str, str]:
        """Return the secret that Telegram was told instead of the one in the manifest."""
        secrets = manifest(self.source)["config"]["webhook_secrets"]
        claimed = headers.get(BOT_SECRET)
        for bot, secret in secrets.items():
            if secret == claimed:
                return {BOT_SECRET: bot_secret(BOT_TOKENS[bot])}
        return {}

    @property
    def answer(self) -> Any:
        """What the platform is answered: JSON, or text."""
        told = self.told.get("expected_http_body", "")
        return NOTHING_TO_SAY if self.source.startswith("twilio") else told

    @property
    def expected(self) -> dict[str, Any]:
        return dict(self.told["expected"])

    @property
    def needs(self) -> dict[str, Any]:
        return dict(self.told.get("precondition", {}))


def bot_secret(token: str) -> str:
    """Return what Telegram is told to send along with the updates of a bot."""
    digest = hmac.digest(token.encode(), b"webhook secret", "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")


def manifest(source: str) -> dict[str, Any]:
    """Return what is written of a source's payloads."""
    told: dict[str, Any] = json.loads((FIXTURES / source / "manifest.json").read_bytes())
    return told


def cases(source: str) -> list[Case]:
    """Return the requests of a source."""
    return [Case(source, each) for each in manifest(source)["inbound"]]


def params(found: list[Case]) -> list[ParameterSet]:
    """Return cases as parameters named after source and file."""
    return [pytest.param(case, id=f"{case.source}/{case.file}") for case in found]


def response(source: str, file: str) -> Any:
    """Return what a platform's API is recorded to have answered."""
    return json.loads((FIXTURES / source / file).read_bytes())


def objects_in(text: bytes) -> Iterator[Any]:
    """Yield all objects in a body, also those within what was pushed; of a form, all of it."""
    yield text.decode()
    try:
        waiting: list[Any] = [json.loads(text)]
    except ValueError:
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
            if isinstance(value.get("data"), str):
                with suppress(ValueError):  # what a button says is no object
                    waiting.append(json.loads(b64decode(value["data"])))
        elif isinstance(value, list):
            waiting += value
