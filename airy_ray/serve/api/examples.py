"""What the documentation shows: Ada, who writes to a shop on its website, and who answers her.

Examples stand with the models of what is asked and answered (`model_config`); those that several
models share, or that are long, are here. Tests hold each to the schema that it is an example of.
"""

from base64 import b64encode
from typing import Any

from pydantic import ConfigDict

from airy_ray.model.ids import channel_id, format_id

CHANNEL_ID = "0000b6ad-12f4-80b8-a7fd-dc385ec2ca6e"
CONVERSATION_ID = "9afec5a0-f9f9-8b21-b764-dde18dafefa2"
MESSAGE_ID = "9afee65a-7509-8499-b4bd-d7e85df275b7"
SENT_ID = "9afe2f47-d1df-83a2-b8c1-6b04d9969097"
CONTACT_ID = "9afe4769-909f-83c6-8723-e5506e1bd32a"
OTHER_CONTACT_ID = "2c5e33f8-517b-86bc-a4f6-11e0634c7411"
TAG_ID = "00004d3f-eb63-82ea-aaed-1363f3f34d6c"
TEMPLATE_ID = "000003ef-f7a9-80ce-a219-a93f7dc5f510"
TOKEN_ID = "35605118-3eb1-8bbe-83b6-fa15eca171d7"  # noqa: S105 -- an id is no secret
WEBHOOK_ID = "0000e8b3-4535-8d5b-a20e-3b36d709dd8b"
VISITOR_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjb252ZXJzYXRpb25faWQiOiI5YWZlIn0.7Zk"

SOURCE_JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb3VyY2VfYXBwOmNybSJ9.Qw4"

ASKED_AT = "2025-11-21T08:00:00.000Z"
ANSWERED_AT = "2025-11-21T08:01:30.250Z"
ASKED_AT_MS = 1_763_712_000_000
ANSWERED_AT_MS = 1_763_712_090_250

IMAGE_URL = "https://shop.example/logo.png"
HELLO = {"text": "Do you ship to Iceland?"}
ANSWER = {"text": "We do, within a week."}


def example(value: Any = None, /, **fields: Any) -> ConfigDict:
    """Return the configuration of a model that has an example: a value, or an object's fields."""
    return ConfigDict(json_schema_extra={"examples": [fields if value is None else value]})


def channel(source: str, known_as: str, **metadata: str) -> dict[str, Any]:
    """Return the channel that a source knows under a name, as it is answered."""
    return {
        "id": format_id(channel_id(source, known_as)),
        "source": source,
        "source_channel_id": known_as,
        "connected": True,
        "metadata": metadata,
    }


CHANNEL = {
    "id": CHANNEL_ID,
    "source": "chatplugin",
    "source_channel_id": "Shop",
    "connected": True,
    "metadata": {"name": "Shop", "image_url": IMAGE_URL},
}

MESSAGE: dict[str, Any] = {
    "id": MESSAGE_ID,
    "content": HELLO,
    "sent_at": ASKED_AT,
    "delivery_state": "delivered",
    "from_contact": True,
    "source": "chatplugin",
    "metadata": {},
    "sender": {"id": CONVERSATION_ID, "name": None, "avatar_url": None},
}

BARE_MESSAGE = MESSAGE | {"metadata": None}
"""As visitors and `message.created` have it."""

SENT: dict[str, Any] = {
    "id": SENT_ID,
    "content": ANSWER,
    "sent_at": ANSWERED_AT,
    "delivery_state": "pending",
    "from_contact": False,
    "source": "chatplugin",
    "metadata": {},
    "sender": {"id": "airy-core-anonymous", "name": None, "avatar_url": None},
}

SUGGESTIONS = {"yes": {"content": ANSWER}}

CONVERSATION: dict[str, Any] = {
    "id": CONVERSATION_ID,
    "created_at": ASKED_AT,
    "channel": CHANNEL,
    "metadata": {
        "contact": {"display_name": "Ada"},
        "tags": {TAG_ID: ""},
        "state": "OPEN",
        "unread_count": 1.0,
    },
    "last_message": MESSAGE,
}

ADDRESS = {
    "address_line1": "12 St James's Square",
    "postal_code": "SW1Y 4JH",
    "city": "London",
    "country": "United Kingdom",
}

NEW_CONTACT: dict[str, Any] = {
    "display_name": "Ada",
    "timezone": 0,
    "locale": "en_GB",
    "via": {"email": "ada@example.org"},
    "address": ADDRESS,
    "conversations": {CONVERSATION_ID: "chatplugin"},
    "metadata": {"customer": "A-42"},
}

CONTACT: dict[str, Any] = NEW_CONTACT | {
    "id": CONTACT_ID,
    "avatar_url": None,
    "title": None,
    "gender": None,
    "organization_name": None,
    "address": {"organization_name": None, "address_line2": None, "state": None} | ADDRESS,
    "created_at": ASKED_AT_MS,
    "updated_at": None,
}

OTHER_CONTACT = CONTACT | {
    "id": OTHER_CONTACT_ID,
    "display_name": "Ada Lovelace",
    "via": {"phone": "+442079460000"},
    "address": None,
    "conversations": None,
    "metadata": None,
}

MERGED_CONTACT = CONTACT | {"updated_at": ANSWERED_AT_MS, "merge_history": [OTHER_CONTACT]}

COMPONENT = {
    "name": "sources-viber",
    "displayName": "Viber",
    "description": "<p>Messages to your bot.</p>",
    "descriptionDE": "<p>Messages to your bot.</p>",
    "descriptionFR": "<p>Messages to your bot.</p>",
    "descriptionES": "<p>Messages to your bot.</p>",
    "category": "Channel",
    "price": "Free",
    "availableFor": None,
    "docs": None,
    "source": "viber",
    "repository": "airy-ray",
    "isChannel": "true",
    "isApp": None,
    "internalUI": None,
    "configurationValues": '{"authToken":""}',
    "installationStatus": "installed",
}

API_TOKEN: dict[str, Any] = {
    "id": TOKEN_ID,
    "name": "reports",
    "scope": "read",
    "sources": ["chatplugin"],
    "channel_ids": [],
    "requests_per_minute": 60,
    "created_at": ASKED_AT,
    "created_by": "airy-core-anonymous",
    "expires_at": "2025-11-22T08:00:00.000Z",
}

SOURCE: dict[str, Any] = {
    "source_id": "crm",
    "token": None,
    "action_endpoint": "https://crm.example/airy",
    "name": "CRM",
    "image_url": None,
}

WEBHOOK: dict[str, Any] = {
    "id": WEBHOOK_ID,
    "name": "Reports",
    "status": "Subscribed",
    "url": "https://reports.example/airy",
    "headers": {"X-Team": "support"},
    "events": ["message.created"],
    "filter": "source:facebook",
    "paused": False,
    "reason": None,
}

WEBHOOK_ATTEMPT: dict[str, Any] = {
    "event_id": "evt_5d41402a_0_65536_0",
    "type": "message.created",
    "subject": SENT_ID,
    "at": ANSWERED_AT,
    "number": 1,
    "took_ms": 12,
    "status": 200,
    "error": None,
    "answer": "ok",
    "outcome": "delivered",
    "out_of_order": False,
}

RECORD_ID = "02:1746"
PAYLOAD_ID = "5d41402abc4b2a76b9719d911017c592"
RECORD_BODY = '{"object":"page","entry":[]}'
FAULT = "KeyError"

LEDGER_ENTRY: dict[str, Any] = {
    "id": RECORD_ID,
    "received_at": ASKED_AT,
    "kind": "webhook",
    "source": "facebook",
    "body_bytes": len(RECORD_BODY),
    "payload_id": PAYLOAD_ID,
    "verdict": "ignored",
    "reasons": ["no entry"],
    "message_ids": [],
}

LEDGER_RECORD: dict[str, Any] = LEDGER_ENTRY | {
    "repeats": None,
    "body_base64": b64encode(RECORD_BODY.encode()).decode(),
    "body_text": RECORD_BODY,
}

SERVICES = {
    "sources-viber-connector": {"enabled": False, "healthy": True, "component": "sources-viber"}
}
TAG_COLOR = {
    "default": "E0243A",
    "background": "FFF7F9",
    "font": "E0243A",
    "position": 2,
    "border": "E0243A",
}


UPLOAD = {"file": "Open from 9 to 5.\n"}


def page(*items: Any, previous: str | None = None) -> dict[str, Any]:
    """Return a list's only page."""
    cursors = {"previous_cursor": previous, "next_cursor": None, "total": len(items)}
    return {"data": list(items), "pagination_data": cursors}
