"""The recorded payloads in `tests/fixtures`, as cases; their form: sources §14."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from airy_ray.model.channel import Channel
from airy_ray.model.ids import ChannelId, channel_id
from airy_ray.sources.source import Webhook
from airy_ray.sources.telegram import BOT
from airy_ray.sources.viber import ACCOUNT, Account
from tests import builders

FIXTURES = Path(__file__).parent / "fixtures"
SOURCES = (
    "facebook",
    "instagram",
    "google",
    "twilio.sms",
    "twilio.whatsapp",
    "viber",
    "telegram",
    "whatsapp",
)

VIBER_ACCOUNT = Account(
    "pa:75346594275468546724", "Blips and Chitz", "https://example.org/icon.png"
)
TELEGRAM_BOT = "7012345678"
KEPT = {"viber": {ACCOUNT: VIBER_ACCOUNT.id}, "telegram": {BOT: TELEGRAM_BOT}}
"""What is kept of requests beside their body, by source."""


@dataclass(frozen=True)
class Case:
    """One file that comes in, and what is to become of it."""

    source: str
    inbound: dict[str, Any]

    @property
    def file(self) -> str:
        return str(self.inbound["file"])

    @property
    def expected(self) -> dict[str, Any]:
        return dict(self.inbound["expected"])

    @property
    def precondition(self) -> dict[str, Any]:
        return dict(self.inbound.get("precondition", {}))

    def body(self) -> bytes:
        return body(self.source, self.file)

    def webhook(self) -> Webhook:
        request = self.inbound["request"]
        headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
        headers["content-type"] = request["content_type"]
        return Webhook(self.body(), headers, called(self.source, request))

    def stored(self) -> Webhook:
        """Return what is left of the request once it is stored: the body and the kept headers."""
        kept = KEPT.get(self.source, {})
        if self.source == "telegram":
            kept = {BOT: self.inbound["request"]["path"].rpartition("/")[2]}
        return Webhook(self.body(), kept)


def called(source: str, request: dict[str, Any]) -> str:
    """Return the URL that a request goes to."""
    query = request.get("query")
    base = manifest(source)["config"].get("public_url", "https://core.example.org")
    return f"{base}{request['path']}" + (f"?{query}" if query else "")


def manifest(source: str) -> dict[str, Any]:
    """Return what is written of a source's payloads."""
    told: dict[str, Any] = json.loads((FIXTURES / source / "manifest.json").read_bytes())
    return told


def body(source: str, file: str) -> bytes:
    """Return the exact bytes of a file."""
    return (FIXTURES / source / file).read_bytes()


def cases(*sources: str) -> list[Case]:
    """Return what comes in at some sources."""
    return [Case(source, each) for source in sources for each in manifest(source)["inbound"]]


def params(found: list[Case]) -> list[ParameterSet]:
    """Return cases as parameters named after source and file."""
    return [pytest.param(case, id=f"{case.source}/{case.file}") for case in found]


def channels(source: str) -> dict[ChannelId, Channel]:
    """Return the channels that exist before each file."""
    found = {}
    for each in manifest(source)["channels"]:
        name, page = each["source"], each["source_channel_id"]
        found[channel_id(name, page)] = builders.channel(
            page, source=name, connected=each["connected"]
        )
    return found


def messages_named(source: str) -> dict[str, dict[str, Any]]:
    """Return the messages that a manifest speaks of, by the reference's id of them."""
    found: dict[str, dict[str, Any]] = {}
    for case in cases(source):
        for message in [*case.expected["messages"], *case.precondition.get("messages", [])]:
            found[message.get("message_id", "")] = message
    return found
