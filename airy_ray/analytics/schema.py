"""The columns of exported files; `docs/export.md` says what they mean, and a test that it does."""

import pyarrow as pa

SCHEMA_VERSION = 1
"""Raised when a column changes its type or meaning; what was exported before is then replaced."""

_INSTANT = pa.timestamp("us", "UTC")
_TEXTS = pa.map_(pa.string(), pa.string())

CONVERSATIONS = pa.schema(
    [
        ("id", pa.string()),
        ("change", pa.uint64()),
        ("partition", pa.uint16()),
        ("source", pa.string()),
        ("channel_id", pa.string()),
        ("contact_id", pa.string()),
        ("source_conversation_id", pa.string()),
        ("display_name", pa.string()),
        ("created_at", _INSTANT),
        ("last_message_id", pa.string()),
        ("last_message_at", _INSTANT),
        ("last_inbound_at", _INSTANT),
        ("message_count", pa.int64()),
        ("unread_count", pa.int64()),
        ("state", pa.string()),
        ("tag_ids", pa.list_(pa.string())),
        ("metadata", pa.string()),
    ]
)
MESSAGES = pa.schema(
    [
        ("id", pa.string()),
        ("change", pa.uint64()),
        ("partition", pa.uint16()),
        ("conversation_id", pa.string()),
        ("channel_id", pa.string()),
        ("source", pa.string()),
        ("source_message_id", pa.string()),
        ("sender_id", pa.string()),
        ("is_from_contact", pa.bool_()),
        ("delivery_state", pa.string()),
        ("sent_at", _INSTANT),
        ("updated_at", _INSTANT),
        ("content", pa.string()),
        ("reaction", pa.string()),
        ("metadata", pa.string()),
    ]
)
CONTACTS = pa.schema(
    [
        ("id", pa.string()),
        ("change", pa.uint64()),
        ("partition", pa.uint16()),
        ("is_deleted", pa.bool_()),
        ("merged_into", pa.string()),
        ("display_name", pa.string()),
        ("avatar_url", pa.string()),
        ("title", pa.string()),
        ("gender", pa.string()),
        ("timezone", pa.int64()),
        ("locale", pa.string()),
        ("organization_name", pa.string()),
        ("via", _TEXTS),
        ("address", _TEXTS),
        (
            "conversations",
            pa.list_(
                pa.struct(
                    [
                        ("conversation_id", pa.string()),
                        ("source", pa.string()),
                        ("source_conversation_id", pa.string()),
                    ]
                )
            ),
        ),
        ("metadata", pa.string()),
        ("created_at", _INSTANT),
        ("updated_at", _INSTANT),
    ]
)
EVENTS = pa.schema(
    [
        ("id", pa.string()),
        ("change", pa.uint64()),
        ("partition", pa.uint16()),
        ("offset", pa.uint64()),
        ("received_at", _INSTANT),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("command", pa.string()),
        ("principal", pa.string()),
        (
            "routes",
            pa.list_(
                pa.struct(
                    [
                        ("channel_id", pa.string()),
                        ("conversation_id", pa.string()),
                        ("refused", pa.string()),
                    ]
                )
            ),
        ),
        ("payload_id", pa.string()),
        ("body_bytes", pa.int64()),
        ("body", pa.string()),
    ]
)

SCHEMAS = {
    "conversations": CONVERSATIONS,
    "messages": MESSAGES,
    "contacts": CONTACTS,
    "events": EVENTS,
}
"""Table to its columns."""

DATED = {"messages": "sent_at", "events": "received_at"}
"""The tables that lie in a directory for each day, and the instant that says which (UTC)."""
