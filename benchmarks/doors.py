"""How messages get to subscribers: into the platform as its sources bring them, and to RabbitMQ.

`written` messages come through `sources.webhook`, many to a body, so that bringing them in is no
limit; nobody has to read them, so each is one event. `received` ones are a signed Facebook webhook
each, as contacts write; a second event tells how many are unread.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import aiohttp

from airy_ray.clock import now_millis
from benchmarks.measuring import BenchmarkError
from benchmarks.subscribers import Door, Publish, Tally, connected, crowd, marked
from benchmarks.system import PAGE, Platform
from benchmarks.traffic import signed

EVENT_BYTES = 500
PATH = "/ws.communication"
_CONVERSATIONS = 40
_HEAR_S = 30.0


def door(ours: Platform) -> Door:
    """Return where the platform's subscribers come in."""
    return Door(ours.url.replace("http", "ws", 1) + PATH, "/events")


@asynccontextmanager
async def written(ours: Platform) -> AsyncIterator[Publish]:
    """Yield what brings in messages of a custom source, each an event of `EVENT_BYTES`."""
    name = f"bench-{uuid4().hex[:8]}"
    token = ours.post("/sources.create", {"source_id": name})["token"]
    headers = {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(ours.url, headers=headers) as http:
        await _post(http, "/sources.channels.create", {"source_channel_id": "s", "name": "Shop"})
        numbers = count()
        text_bytes = await _fitting(ours, http, next(numbers))

        async def publish(marks: Sequence[int]) -> None:
            messages = [_message(next(numbers), mark, text_bytes) for mark in marks]
            await _post(http, "/sources.webhook", {"messages": messages})

        yield publish


@asynccontextmanager
async def received(url: str) -> AsyncIterator[Publish]:
    """Yield what posts signed webhooks, one message each."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as http:

        async def publish(marks: Sequence[int]) -> None:
            for mark in marks:
                await _post_webhook(http, mark)

        yield publish


@asynccontextmanager
async def sent(to: Door) -> AsyncIterator[Publish]:
    """Yield what sends messages of `EVENT_BYTES` to a destination of RabbitMQ."""
    sender = await connected(to._replace(destination="/topic/none"), Tally())
    headers = [f"destination:{to.destination}", "content-type:text/plain"]

    async def publish(marks: Sequence[int]) -> None:
        for mark in marks:
            sender.send("SEND", headers, marked(mark, EVENT_BYTES).encode())

    try:
        yield publish
    finally:
        sender.leave()


async def _fitting(ours: Platform, http: aiohttp.ClientSession, number: int) -> int:
    """Return how long a message's text is when its event has `EVENT_BYTES`."""
    heard = _Heard()
    probe_bytes = 20
    async with crowd(door(ours), 1, heard):
        await _post(http, "/sources.webhook", {"messages": [_message(number, 0, probe_bytes)]})
        await heard.reach(1, timeout_s=_HEAR_S)
    event = heard.payload.partition(b"\n\n")[2].rstrip(b"\0")
    return EVENT_BYTES - len(event) + probe_bytes


class _Heard(Tally):
    payload = b""

    def hear(self, payload: bytes) -> None:
        """Keep what is counted."""
        if b"mark=" in payload:
            self.payload = payload
        super().hear(payload)


def _message(number: int, mark: int, text_bytes: int) -> dict[str, Any]:
    return {
        "source_message_id": f"{number:09d}",
        "source_conversation_id": f"c{number % _CONVERSATIONS:03d}",
        "source_channel_id": "s",
        "source_sender_id": "a",
        "content": {"text": marked(mark, text_bytes)},
        "sent_at": now_millis(),
        "from_contact": False,
    }


async def _post(http: aiohttp.ClientSession, path: str, asked: object) -> None:
    async with http.post(path, json=asked) as answer:
        if not answer.ok:
            raise BenchmarkError(f"{path}: {answer.status} {await answer.text()}")


async def _post_webhook(http: aiohttp.ClientSession, mark: int) -> None:
    at = now_millis()
    message = {"mid": f"m{mark:09d}", "text": marked(mark, 15)}
    parties = {"sender": {"id": f"u{mark % _CONVERSATIONS}"}, "recipient": {"id": PAGE}}
    messaging = [{**parties, "timestamp": at, "message": message}]
    body = {"object": "page", "entry": [{"id": PAGE, "time": at, "messaging": messaging}]}
    post = signed(json.dumps(body, separators=(",", ":")).encode())
    headers = {**dict(post.headers), "content-type": "application/json"}
    async with http.post("/webhooks/facebook", data=post.body, headers=headers) as answer:
        if not answer.ok:
            raise BenchmarkError(f"a webhook: {answer.status} {await answer.text()}")
