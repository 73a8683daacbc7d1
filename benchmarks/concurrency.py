"""200 clients read and write the same conversations at once: one order for all, exact counts."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp

from benchmarks.measuring import BenchmarkError, Options, Report, main, temporary_directory
from benchmarks.system import Platform, platform

CLIENTS = 200
CONVERSATIONS = 20
_SEED = 7
_TAG = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001"


@dataclass
class Seen:
    """What clients were told, and what went wrong.

    Attributes:
        acknowledged: ids of messages whose sender got a 200, by conversation.
        orders: newest messages as readers saw them, newest first, by conversation.
        took_s: how long requests took, by endpoint.
    """

    acknowledged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    orders: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    took_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: Counter[str] = field(default_factory=Counter)


class Crowd:
    """Clients of one platform, and the conversations that they share."""

    def __init__(self, http: aiohttp.ClientSession, seen: Seen) -> None:
        self.http = http
        self.seen = seen
        self.visitors: dict[str, str] = {}

    async def call(self, path: str, asked: Any, **headers: str) -> Any:
        """Call an endpoint, and note how long that took or that it failed."""
        began = time.perf_counter()
        try:
            async with self.http.post(path, json=asked, headers=headers) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.seen.wrong[f"{path}: {type(error).__name__}"] += 1
            return None
        self.seen.took_s[path].append(time.perf_counter() - began)
        if not answer.ok:
            self.seen.wrong[f"{path}: {answer.status}"] += 1
            return None
        return json.loads(body) if body else {}

    async def begin(self, website: str) -> None:
        """Let a visitor in, who says hello."""
        entered = await self.call("/chatplugin.authenticate", {"channel_id": website})
        token = f"Bearer {entered['token']}"
        sent = await self.call("/chatplugin.send", {"message": "hello"}, authorization=token)
        conversation = sent["sender"]["id"]
        self.visitors[conversation] = token
        self.seen.acknowledged[conversation].add(sent["id"])

    async def visit(self, until: float, seed: int) -> None:
        """Do one thing after the other, to any of the conversations."""
        chance = random.Random(seed)
        actions: list[Callable[[str], Awaitable[None]]] = [
            self.write, self.answer, self.read, self.read, self.inform, self.look, self.mark,
            self.tag,
        ]  # fmt: skip
        conversations = sorted(self.visitors)
        while time.monotonic() < until:
            await chance.choice(actions)(chance.choice(conversations))

    async def write(self, conversation: str) -> None:
        """Have the contact write."""
        token = self.visitors[conversation]
        sent = await self.call("/chatplugin.send", {"message": "?"}, authorization=token)
        await self._must_be_there(conversation, sent)

    async def answer(self, conversation: str) -> None:
        """Have a user answer."""
        asked = {"conversation_id": conversation, "message": {"text": "!"}}
        await self._must_be_there(conversation, await self.call("/messages.send", asked))

    async def read(self, conversation: str) -> None:
        """Read the newest messages, and note their order."""
        asked = {"conversation_id": conversation, "page_size": 20}
        page = await self.call("/messages.list", asked)
        if page is not None:
            self.seen.orders[conversation].append([each["id"] for each in page["data"]])

    async def inform(self, conversation: str) -> None:
        """Read the conversation."""
        await self.call("/conversations.info", {"conversation_id": conversation})

    async def look(self, _: str) -> None:
        """Read the list of conversations."""
        await self.call("/conversations.list", {"page_size": 20})

    async def mark(self, conversation: str) -> None:
        """Mark the conversation as read."""
        await self.call("/conversations.mark-read", {"conversation_id": conversation})

    async def tag(self, conversation: str) -> None:
        """Put a tag to the conversation."""
        await self.call("/conversations.tag", {"conversation_id": conversation, "tag_id": _TAG})

    async def messages(self, conversation: str) -> list[Any]:
        """Return all messages of a conversation, newest first, page by page."""
        found: list[Any] = []
        cursor = None
        while True:
            asked = {"conversation_id": conversation, "page_size": 1_000, "cursor": cursor}
            page = await self.call("/messages.list", asked)
            found += page["data"]
            cursor = page["pagination_data"]["next_cursor"]
            if cursor is None:
                if page["pagination_data"]["total"] != len(found):
                    self.seen.wrong["a total is not the number of messages"] += 1
                return found

    async def _must_be_there(self, conversation: str, sent: Any) -> None:
        """Note an acknowledged message; who wrote it can read it at once."""
        if sent is None:
            return
        self.seen.acknowledged[conversation].add(sent["id"])
        asked = {"conversation_id": conversation, "page_size": 500}
        page = await self.call("/messages.list", asked)
        if page is not None and sent["id"] not in {each["id"] for each in page["data"]}:
            self.seen.wrong["its writer cannot read a message"] += 1


async def crowded(started: Platform, seconds: float) -> Seen:
    """Let the clients loose on a platform, and look at what is left."""
    seen = Seen()
    website = started.post("/channels.chatplugin.connect", {"name": "Shop"})["id"]
    connections = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(started.url, connector=connections) as http:
        crowd = Crowd(http, seen)
        for _ in range(CONVERSATIONS):
            await crowd.begin(website)
        until = time.monotonic() + seconds
        await asyncio.gather(*(crowd.visit(until, _SEED + each) for each in range(CLIENTS)))
        for conversation in crowd.visitors:
            await _judge(crowd, conversation)
    return seen


async def _judge(crowd: Crowd, conversation: str) -> None:
    """Compare what a conversation holds with what its clients were told."""
    seen = crowd.seen
    messages = await crowd.messages(conversation)
    place = {message["id"]: index for index, message in enumerate(messages)}
    seen.wrong["a message comes twice"] += len(messages) - len(place)
    seen.wrong["an acknowledged message is lost"] += len(
        seen.acknowledged[conversation] - set(place)
    )
    seen.wrong["a message that nobody was told of"] += len(
        set(place) - seen.acknowledged[conversation]
    )
    for order in seen.orders[conversation]:
        places = [place[message] for message in order if message in place]
        seen.wrong["two readers saw different orders"] += places != sorted(places)
    shown = await crowd.call("/conversations.info", {"conversation_id": conversation})
    unread = sum(
        message["from_contact"] and "user_read" not in message["metadata"] for message in messages
    )
    seen.wrong["an unread count is not exact"] += shown["metadata"]["unread_count"] != unread


def run(options: Options) -> int:
    """Start a platform and let the clients loose on it, again and again."""
    report = Report("concurrency", "many clients, one order, exact counts")
    wrong: Counter[str] = Counter()
    for _ in range(options.repeats):
        with temporary_directory() as directory, platform(directory) as started:
            seen = asyncio.run(crowded(started, options.seconds))
        if not seen.took_s["/messages.send"]:
            raise BenchmarkError("nothing was sent")
        took_s = sorted(each for times in seen.took_s.values() for each in times)
        report.add(
            f"{CLIENTS} clients",
            requests_per_s=len(took_s) / options.seconds,
            messages=sum(map(len, seen.acknowledged.values())),
            p50_ms=took_s[len(took_s) // 2] * 1_000,
            p99_ms=took_s[len(took_s) * 99 // 100] * 1_000,
        )
        wrong += seen.wrong
    report.facts["wrong"] = dict(cast("dict[str, int]", +wrong)) or "nothing"
    report.require("errors, losses, disorder", float(sum(wrong.values())), at_most=0)
    return report.finish()


if __name__ == "__main__":
    main(run, __doc__, seconds=60, repeats=1)
