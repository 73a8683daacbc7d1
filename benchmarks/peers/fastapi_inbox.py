"""What a user would write: FastAPI, asyncpg and PostgreSQL, one transaction for each webhook.

It does the platform's job for a Facebook webhook: check the signature over the exact bytes, keep
the payload, bring conversation, unread count and message up to date, all on disk before the 200.
"""

import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore] # has no types
from fastapi import FastAPI, HTTPException, Request

_SCHEMA = """
CREATE TABLE raw_payload (
    id bigserial PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL,
    body text NOT NULL
);
CREATE TABLE conversation (
    id bigserial PRIMARY KEY,
    channel_id text NOT NULL,
    contact_id text NOT NULL,
    last_message text,
    last_message_at timestamptz NOT NULL,
    unread int NOT NULL DEFAULT 0,
    UNIQUE (channel_id, contact_id)
);
CREATE INDEX conversation_by_last_message ON conversation (last_message_at DESC, id DESC);
CREATE TABLE message (
    id bigserial PRIMARY KEY,
    conversation_id bigint NOT NULL REFERENCES conversation,
    mid text NOT NULL UNIQUE,
    body text NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX message_by_conversation ON message (conversation_id, sent_at DESC, id DESC);
"""

_KEEP_PAYLOAD = "INSERT INTO raw_payload (source, body) VALUES ('facebook', $1)"
_UPDATE_CONVERSATION = """
INSERT INTO conversation (channel_id, contact_id, last_message, last_message_at, unread)
VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (channel_id, contact_id) DO UPDATE SET last_message = excluded.last_message,
    last_message_at = excluded.last_message_at, unread = conversation.unread + 1
RETURNING id
"""
_ADD_MESSAGE = """
INSERT INTO message (conversation_id, mid, body, sent_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (mid) DO NOTHING
"""

_SECRET = os.environ["PEER_APP_SECRET"].encode()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    dsn = os.environ["PEER_DSN"]
    async with asyncpg.create_pool(dsn, min_size=10, max_size=20) as pool:
        await pool.execute(_SCHEMA)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.post("/facebook")
async def facebook(request: Request) -> dict[str, str]:
    """Take a webhook."""
    raw = await request.body()
    _verify(raw, request.headers.get("x-hub-signature-256", ""))
    payload = await request.json()
    async with app.state.pool.acquire() as db, db.transaction():
        await db.execute(_KEEP_PAYLOAD, raw.decode())
        for entry in payload["entry"]:
            for item in entry["messaging"]:
                await _store(db, item)
    return {"status": "ok"}


@app.get("/messages")
async def messages() -> int:
    """Return how many messages there are."""
    count: int = await app.state.pool.fetchval("SELECT count(*) FROM message")
    return count


def _verify(raw: bytes, claimed: str) -> None:
    signed = "sha256=" + hmac.new(_SECRET, raw, sha256).hexdigest()
    if not hmac.compare_digest(signed, claimed):
        raise HTTPException(403)


async def _store(db: Any, item: dict[str, Any]) -> None:
    sent_at = datetime.fromtimestamp(item["timestamp"] / 1_000, UTC)
    mid, text = item["message"]["mid"], item["message"]["text"]
    conversation = await db.fetchval(
        _UPDATE_CONVERSATION, item["recipient"]["id"], item["sender"]["id"], text, sent_at
    )
    await db.execute(_ADD_MESSAGE, conversation, mid, text, sent_at)
