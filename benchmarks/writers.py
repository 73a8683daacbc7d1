"""People who write to a page, each one message after the other, and what must be shown of them.

A message is posted again until it is acknowledged, and only then the person's next one: so what a
conversation shows is what its writer has posted, in that order, all that was acknowledged at least.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import aiohttp

from airy_ray.clock import now_millis
from airy_ray.model.ids import ChannelId, channel_id, conversation_id, format_id
from benchmarks.system import APP_SECRET, PAGE
from benchmarks.traffic import signed, text_messages

_AGAIN_S = 0.1
_PAGE_SIZE = 500


class Answer(NamedTuple):
    """When a request was answered, by the monotonic clock, and how long that took."""

    at_s: float
    took_s: float


class Writers:
    """People who write to `PAGE`, so many messages a second all together."""

    def __init__(
        self, http: aiohttp.ClientSession, count: int, rate: float, *, secret: str = APP_SECRET
    ) -> None:
        self.posted: dict[str, list[str]] = defaultdict(list)
        """Ids of messages, by person."""
        self.acknowledged: Counter[str] = Counter()
        """How many of these, by person."""
        self.answers: list[Answer] = []
        self.failures: Counter[str] = Counter()
        self._http = http
        self._people = [f"u{number}" for number in range(count)]
        self._period_s = count / rate
        self._secret = secret
        self._channel: ChannelId = channel_id("facebook", PAGE)

    async def write(self) -> None:
        """Write until it is cancelled."""
        await asyncio.gather(*map(self._write, self._people))

    async def _write(self, person: str) -> None:
        next_at = time.monotonic() + self._people.index(person) / len(self._people)
        while True:
            await asyncio.sleep(next_at - time.monotonic())
            next_at = max(next_at + self._period_s, time.monotonic())
            number = len(self.posted[person])
            name = f"{person}_{number}"
            (body,) = text_messages(name, [person], begin_at=now_millis())
            self.posted[person].append(f"m_{name}_0")
            await self._post(body)
            self.acknowledged[person] += 1

    async def _post(self, body: bytes) -> None:
        post = signed(body, self._secret)
        headers = {**dict(post.headers), "content-type": "application/json"}
        while True:
            began = time.monotonic()
            try:
                async with self._http.post("/webhooks/facebook", data=body, headers=headers) as got:
                    await got.read()
                if got.ok:
                    self.answers.append(Answer(time.monotonic(), time.monotonic() - began))
                    return
                self.failures[f"a webhook: {got.status}"] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failures[f"a webhook: {type(error).__name__}"] += 1
            await asyncio.sleep(_AGAIN_S)

    async def wrong(self) -> list[str]:
        """Return which conversations do not show what they must, as all can be read now.

        Raises:
            aiohttp.ClientError, TimeoutError: something cannot be read.
        """
        found = []
        for person in self._people:
            at_least = self.acknowledged[person]
            shown = await self._shown(person) if at_least else []
            posted = self.posted[person]
            if shown != posted[: len(shown)] or len(shown) < at_least:
                found.append(f"{person}: {at_least} acknowledged, {_difference(shown, posted)}")
        return found

    async def _shown(self, person: str) -> list[str]:
        """Return the ids of the messages of a conversation, oldest first."""
        conversation = format_id(conversation_id(self._channel, person))
        asked: dict[str, Any] = {"conversation_id": conversation, "page_size": _PAGE_SIZE}
        shown: list[str] = []
        while True:
            async with self._http.post("/messages.list", json=asked) as answer:
                if answer.status == 404:
                    return []  # nothing of it is folded yet
                answer.raise_for_status()
                page = await answer.json()
            shown += [_id(message) for message in page["data"]]
            asked["cursor"] = page["pagination_data"]["next_cursor"]
            if asked["cursor"] is None:
                return shown[::-1]


def _id(message: Any) -> str:
    """Return the id that a message has at its source, if it has its text too."""
    name = str(message["metadata"]["source"]["id"])
    return name if name.removeprefix("m_") in json.dumps(message["content"]) else f"{name}?"


def _difference(shown: list[str], posted: list[str]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(shown, posted, strict=False)) if a != b), None)
    if at is None:
        return f"{len(shown)} shown"
    return f"{len(shown)} shown, of which number {at} is {shown[at]} instead of {posted[at]}"
