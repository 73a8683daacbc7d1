"""What was written to pages before an app asked, as Meta's Graph API tells it.

Lists come page by page, and each names the address of the next, with the token in it. Of a
conversation only the newest messages are told; of those before them, only that they were there.
"""

import asyncio
import re
from collections import defaultdict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airy_ray.simulator.graph_messages import GraphError

TOLD_MAX = 20
"""Of how many messages of a conversation Meta tells more than that they were there."""

_LIMIT = "25"
_NESTED = re.compile(r"messages\.limit\((\d+)\)")


@dataclass(frozen=True)
class PastMessage:
    """A message: what it is called, when it was written (in seconds), by whom, and what it says."""

    known_as: str
    at_s: int
    is_from_page: bool = False
    text: str = ""
    picture: str | None = None


@dataclass(frozen=True)
class PastConversation:
    """A conversation with somebody, its messages the oldest first."""

    contact: str
    messages: tuple[PastMessage, ...]
    unread: int = 0
    name: str = "Somebody"

    @property
    def known_as(self) -> str:
        """What Meta calls it."""
        return f"t_{self.contact}"


@dataclass
class Past:
    """The conversations of pages; used from any thread.

    Attributes:
        kept: by page, in any order.
        troubles: how the next calls are refused, each once.
        asked: what was asked for, whether it was told or not, oldest first: of what, after which
            cursor, and how much at most.
        told_max: of how many messages of a conversation is told what they say.
    """

    kept: dict[str, list[PastConversation]] = field(default_factory=lambda: defaultdict(list))
    troubles: deque[GraphError] = field(default_factory=deque)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    told_max: int = TOLD_MAX
    _held: Future[None] | None = None
    _asked_held: Future[None] | None = None

    def hold(self) -> Future[None]:
        """Keep the answer to the next call until what is returned is done."""
        self._held = held = Future[None]()
        return held

    async def answering(self) -> None:
        """Wait as long as the answer to the call that has just come is to be kept."""
        held, self._asked_held = self._asked_held, None
        if held is not None:
            await asyncio.wrap_future(held)

    def threads(self, page: str, query: dict[str, str], url: str) -> dict[str, Any]:
        """Return some of a page's conversations, those last written in first."""
        self._meet(page, query)
        newest_first = sorted(self.kept[page], key=lambda each: -each.messages[-1].at_s)
        nested = _NESTED.search(query.get("fields", ""))
        limit = _LIMIT if nested is None else nested[1]
        base = url.partition("?")[0].rpartition("/")[0].rpartition("/")[0]
        token = url.partition("?")[2]
        shown = [
            self._thread(page, each, limit, f"{base}/{each.known_as}/messages?{token}")
            for each in newest_first
        ]
        return _page_of(shown, query, url)

    def messages(self, page: str, thread: str, query: dict[str, str], url: str) -> dict[str, Any]:
        """Return some of the messages of a conversation, the newest first."""
        self._meet(thread, query)
        found = [each for each in self.kept[page] if each.known_as == thread]
        if not found:
            raise GraphError(100, f"(#100) Object with ID '{thread}' does not exist.")
        return _page_of(self._messages(page, found[0]), query, url)

    def _meet(self, of: str, query: dict[str, str]) -> None:
        self._asked_held, self._held = self._held, None
        self.asked.append((of, query.get("after", ""), query.get("limit", _LIMIT)))
        if self.troubles:
            raise self.troubles.popleft()

    def _thread(
        self, page: str, conversation: PastConversation, limit: str, url: str
    ) -> dict[str, Any]:
        parties = {conversation.contact: conversation.name, page: "A page"}
        return {
            "id": conversation.known_as,
            "updated_time": _time(conversation.messages[-1].at_s),
            "unread_count": conversation.unread,
            "participants": {"data": [_party(each, name) for each, name in parties.items()]},
            "messages": _page_of(self._messages(page, conversation), {"limit": limit}, url),
        }

    def _messages(self, page: str, conversation: PastConversation) -> list[dict[str, Any]]:
        shown = []
        for number, each in enumerate(reversed(conversation.messages)):
            told: dict[str, Any] = {"id": each.known_as, "created_time": _time(each.at_s)}
            if number < self.told_max:
                writer = page if each.is_from_page else conversation.contact
                told |= {"from": _party(writer, "Somebody"), "message": each.text}
                if each.picture is not None:
                    image = {"mime_type": "image/jpeg", "image_data": {"url": each.picture}}
                    told["attachments"] = {"data": [image]}
            shown.append(told)
        return shown


def _page_of(rows: list[Any], query: dict[str, str], url: str) -> dict[str, Any]:
    """Return some rows of a list, and where the next ones are."""
    after, limit = query.get("after", "0"), query.get("limit", _LIMIT)
    if not after.isdigit() or not limit.isdigit():
        raise GraphError(100, "Invalid parameter")
    first, end = int(after), int(after) + int(limit)
    shown = rows[first:end]
    if not shown:
        return {"data": []}
    paging: dict[str, Any] = {"cursors": {"before": str(first), "after": str(end)}}
    if end < len(rows):
        paging["next"] = f"{url}&limit={limit}&after={end}"
    return {"data": shown, "paging": paging}


def _party(identifier: str, name: str) -> dict[str, str]:
    return {"name": name, "email": f"{identifier}@facebook.com", "id": identifier}


def _time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
