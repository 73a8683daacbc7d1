"""The same conversations and messages in PostgreSQL, with the indexes that a careful user makes.

Asked through asyncpg with prepared statements: a page and the exact total, as the platform answers.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore] # has no types

from benchmarks.peers.postgres import database

_SCHEMA = """
CREATE EXTENSION pg_trgm;
CREATE TABLE conversation (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    tags text[] NOT NULL,
    unread int NOT NULL,
    last_message_at timestamptz NOT NULL,
    shown text NOT NULL
);
CREATE TABLE message (
    id bigserial PRIMARY KEY,
    conversation_id uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    body text NOT NULL
);
"""
_INDEXES = """
CREATE INDEX ON conversation (last_message_at DESC);
CREATE INDEX ON conversation (unread, last_message_at DESC);
CREATE INDEX ON conversation USING gin (tags);
CREATE INDEX ON conversation USING gin (lower(display_name) gin_trgm_ops);
CREATE INDEX ON message (conversation_id, sent_at DESC);
CREATE INDEX ON message USING gin (to_tsvector('simple', body));
ANALYZE;
"""
_ROWS = 10_000
_BEGIN = datetime(2025, 11, 21, tzinfo=UTC)

WHERE = {
    "name and unread": "lower(display_name) LIKE '%facebook%' AND unread >= 1",
    "unread range": "unread >= 2",
    "tag": "tags @> ARRAY['{tag}']",
    "search box": "lower(display_name) LIKE '%a1b%'",
}
"""What the platform's filters are in SQL."""


@contextlib.asynccontextmanager
async def inbox_tables(
    conversations: Iterable[tuple[str, str, bool]], messages: Iterable[tuple[str, str]], tag: str
) -> AsyncIterator[asyncpg.Connection]:
    """Fill a fresh database: conversations of (id, name, is tagged), messages of (id, text)."""
    with database() as port:
        connection = await asyncpg.connect(f"postgresql://peer@127.0.0.1:{port}/postgres")
        try:
            await connection.execute(_SCHEMA)
            written = iter(messages)
            counts: dict[str, int] = {}
            at = _BEGIN
            while group := list(itertools.islice(written, _ROWS)):
                rows = []
                for identifier, text in group:
                    at += timedelta(milliseconds=1)
                    counts[identifier] = counts.get(identifier, 0) + 1
                    rows.append((identifier, at, text))
                columns = ("conversation_id", "sent_at", "body")
                await connection.copy_records_to_table("message", records=rows, columns=columns)
            listed = (
                (each, name, [tag] if is_tagged else [], counts[each], _BEGIN, name * 20)
                for each, name, is_tagged in conversations
            )
            await connection.copy_records_to_table("conversation", records=listed)
            await connection.execute(
                "UPDATE conversation SET last_message_at = newest.at FROM (SELECT conversation_id,"
                " max(sent_at) AS at FROM message GROUP BY 1) newest WHERE id = conversation_id"
            )
            await connection.execute(_INDEXES)
            await connection.execute("VACUUM ANALYZE")
            yield connection
        finally:
            await connection.close()


async def filtered(connection: asyncpg.Connection, where: str, size: int) -> int:
    """Ask for a page of conversations and how many there are; return that."""
    await connection.fetch(
        f"SELECT id, shown FROM conversation WHERE {where}"  # noqa: S608 - our own text
        f" ORDER BY last_message_at DESC LIMIT {size}"
    )
    total: int = await connection.fetchval(
        f"SELECT count(*) FROM conversation WHERE {where}"  # noqa: S608 - our own text
    )
    return total


async def found(connection: asyncpg.Connection, words: str, size: int) -> int:
    """Ask for a page of messages that hold words, the last as a beginning; return how many do."""
    *whole, last = words.split()
    query = " & ".join([*whole, f"{last}:*"])
    where = "to_tsvector('simple', body) @@ to_tsquery('simple', $1)"
    await connection.fetch(
        f"SELECT id, body FROM message WHERE {where}"  # noqa: S608 - our own text
        f" ORDER BY sent_at DESC LIMIT {size}",
        query,
    )
    total: int = await connection.fetchval(
        f"SELECT count(*) FROM message WHERE {where}",  # noqa: S608 - our own text
        query,
    )
    return total
