"""What is written of sources for people holds: what they tell, and how they are written to."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.sendings import CUSTOM, AnySending, sendings
from airy_ray.config import Sources
from airy_ray.errors import PayloadError
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.ids import MessageId
from airy_ray.partition.interpret import PARSERS, parser_of
from airy_ray.projections.profiles import TELLING_IF_ASKED, TELLING_MORE
from airy_ray.serve.api import connecting
from airy_ray.sources.files import links
from airy_ray.sources.profiles import Pictures, Profiles
from airy_ray.sources.sending import Outbound, Uploading
from airy_ray.sources.source import (
    Described,
    Failed,
    Overwritten,
    Reacted,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
)
from tests import manifests

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"
CUSTOM_ROW = "custom"
VISITORS = "chatplugin"

FILE = "https://airy.example.org/media/00000000-0000-8000-8000-000000000000.jpg"
SHOWN = {
    "whatsapp": {"image": {"link": FILE}},
    "twilio.sms": {"MediaUrl": FILE},
    "twilio.whatsapp": {"MediaUrl": FILE},
    "google": {"contentInfo": {"fileUrl": FILE}},
    "viber": {"media": FILE},
    "telegram": {"photo": FILE},
    CUSTOM_ROW: {"image": FILE},
}
"""A file of ours in the form of each source; Messenger's if nothing else is said."""
MESSENGER_FILE = {"attachment": {"type": "image", "payload": {"url": FILE}}}
WORDS = "word " * 2_000
LONG = {
    "whatsapp": {"text": {"body": WORDS}},
    "twilio.sms": {"Body": WORDS},
    "twilio.whatsapp": {"Body": WORDS},
}


def table(title: str) -> dict[str, list[str]]:
    """Return the rows of a section's table, by source."""
    section = PAGE.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return {
        name: cells for first, *cells in rows[2:] for name in first.replace("`", "").split(", ")
    }


def shown(is_so: bool) -> str:
    return "yes" if is_so else "–"


def recorded() -> Iterator[tuple[str, SourceEvent]]:
    """Yield what all recorded payloads tell, with the source, and what none of them has."""
    for case in manifests.cases(*manifests.SOURCES):
        try:
            parsed = PARSERS[case.source](case.stored())
        except (PayloadError, KeyError):
            continue
        yield from ((event.key.source, event) for event in parsed.events)
    parse = parser_of("crm")
    assert parse is not None
    for file in ("in_batch.json", "seed_webhook.json"):
        told = parse(Webhook(manifests.body("custom", file), {}))
        yield from ((CUSTOM_ROW, event) for event in told.events)
    yield from (("whatsapp", event) for event in PARSERS["whatsapp"](edited()).events)


def edited() -> Webhook:
    """Return a change of a message at WhatsApp, of whose form Meta has told little yet."""
    edit = {"from": "1", "id": "m", "type": "edit", "edit": {"original_message_id": "n"}}
    value = {"metadata": {"phone_number_id": "106"}, "messages": [edit]}
    entry = {"changes": [{"field": "messages", "value": value}]}
    told = {"object": "whatsapp_business_account", "entry": [entry]}
    return Webhook(json.dumps(told).encode(), {})


def told_by(event: SourceEvent) -> set[str]:
    """Return which columns an event is of."""
    match event:
        case Received(key=key):
            return {"messages"} | ({"files"} if links(key.source, event.content) else set())
        case Overwritten():
            return {"messages", "edits"}
        case Replaced():
            return {"edits"}
        case Reacted():
            return {"reactions"}
        case Receipt():
            return {"seen" if event.is_seen else "delivered"}
        case Failed():
            return {"failures"}
        case Described():
            return {"names"}
        case _:
            return set()


def test_what_comes_in_is_what_the_recorded_payloads_tell() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for source, event in recorded():
        found[source] |= told_by(event)

    columns = (
        *("messages", "edits", "reactions", "delivered"),
        *("seen", "failures", "names", "files"),
    )
    assert table("What comes in") == {
        source: [shown(each in told) for each in columns] for source, told in found.items()
    }


def outbound(content: object) -> Outbound:
    """Return a message to somebody who has just written."""
    program = CustomSource("crm", bytes(16), Millis(1), action_endpoint="https://crm.example.org")
    return Outbound(
        MessageId(bytes(16)),
        json.dumps(content).encode(),
        recipient="1",
        channel="2",
        token="{}",
        at=Millis(2),
        heard_at=Millis(1),
        custom_source=program,
    )


def files_of(source: str, sending: AnySending) -> str:
    if not sending.attached(json.dumps(SHOWN.get(source, MESSENGER_FILE)).encode()):
        return "as it is"
    if isinstance(sending, Uploading):
        return "bytes, before"
    return "bytes, with it" if source == "telegram" else "link"


def row_of(source: str, sending: AnySending) -> list[str]:
    parts = len(sending.calls(outbound(LONG.get(source, {"text": WORDS}))))
    return [
        shown(sending.opens_conversations),
        shown(sending.is_deduplicating),
        files_of(source, sending),
        "whole" if parts == 1 else "in parts",
        f"{sending.pace(b'{}').per_s:.0f}",
    ]


@pytest.fixture(scope="module")
def sending() -> dict[str, AnySending]:
    settings = Sources.model_validate(
        {
            "twilio": {"account_sid": "AC1", "auth_token": "secret"},
            "viber": {"auth_token": "secret"},
        }
    )
    made = sendings(settings, source_key=b"a key of this installation, long enough")
    return {CUSTOM_ROW if source == CUSTOM else source: each for source, each in made.items()}


def test_what_goes_out_goes_as_is_written(sending: dict[str, AnySending]) -> None:
    assert table("What goes out") == {
        source: row_of(source, each) for source, each in sending.items()
    }


def test_whose_profiles_are_asked_for_is_written(sending: dict[str, AnySending]) -> None:
    assert table("Who contacts are") == {
        source: [
            shown(isinstance(each, Profiles)),
            shown(isinstance(each, Pictures)),
            shown(source in TELLING_MORE),
        ]
        for source, each in sending.items()
    }
    assert {name for name, each in sending.items() if isinstance(each, Profiles)} == (
        TELLING_IF_ASKED
    )


def test_every_source_that_can_be_connected_is_there() -> None:
    paths = "".join(f"{each.path}\n" for each in connecting.ENDPOINTS)
    found = set(re.findall(r"^/channels\.(.+)\.connect$", paths, re.MULTILINE))

    assert set(table("What connecting does")) == found | {CUSTOM_ROW}
    assert set(table("What comes in")) | {VISITORS} == found | {CUSTOM_ROW}
