"""The API as a user's inbox uses it: lists walked whole, conversations marked as read."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator import website
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.oracle import FoundConversation, FoundMessage
from airy_ray.simulator.retries import Retries

_PAGE_SIZE = 200
_TIMEOUT_S = 15.0
"""Longer than the platform lets a command wait."""


class ApiError(Exception):
    """The API refused a request, or gave no answer for as long as was tried."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation as the list shows it."""

    identifier: str
    channel_id: str
    unread: int
    last_key: str | None


class Inbox:
    """Calls the API, again until it answers."""

    def __init__(self, http: HttpClient, retries: Retries, *, token: str | None) -> None:
        self._http = http
        self._retries = retries
        self._headers = [] if token is None else [("authorization", f"Bearer {token}")]

    async def call(
        self,
        path: str,
        asked: Mapping[str, Any],
        *,
        key: str | None = None,
        token: str | None = None,
    ) -> Any:
        """Return the answer to a call; `key` makes its repetitions one command.

        `token` is of another caller.

        Raises:
            ApiError: there is none.
        """
        caller = self._headers if token is None else [("authorization", f"Bearer {token}")]
        headers = caller if key is None else [*caller, ("idempotency-key", key)]
        body = json.dumps(asked).encode()
        reply = await self._retries.until(
            lambda: self._http.post(path, body, headers, timeout_s=_TIMEOUT_S),
            is_enough=lambda reply: reply.status <= 500,  # asked again, it would say the same
        )
        if reply is None:
            raise ApiError(f"{path} does not answer")
        if not reply.is_success:
            told = reply.body.decode(errors="replace")
            raise ApiError(f"{path} answered {reply.status}: {told}")
        return json.loads(reply.body) if reply.body else None

    async def mark_read(self, identifier: str, *, key: str) -> None:
        """Mark all of a conversation as read."""
        await self.call("/conversations.mark-read", {"conversation_id": identifier}, key=key)

    async def newest(self, count: int) -> list[Listed]:
        """Return the conversations with the newest messages."""
        page = await self.call("/conversations.list", {"page_size": count})
        return [_listed(each) for each in page["data"]]

    async def conversations(self) -> AsyncIterator[Listed]:
        """Yield all conversations."""
        cursor: str | None = None
        while True:
            asked = {"page_size": _PAGE_SIZE, "cursor": cursor}
            page = await self.call("/conversations.list", asked)
            for each in page["data"]:
                yield _listed(each)
            cursor = page["pagination_data"]["next_cursor"]
            if cursor is None:
                return

    async def messages(self, identifier: str) -> AsyncIterator[FoundMessage]:
        """Yield all messages of a conversation as they are listed."""
        cursor: str | None = None
        while True:
            asked = {"conversation_id": identifier, "page_size": _PAGE_SIZE, "cursor": cursor}
            page = await self.call("/messages.list", asked)
            for each in page["data"]:
                yield _message(each)
            cursor = page["pagination_data"]["next_cursor"]
            if cursor is None:
                return

    async def newest_messages(self, identifier: str) -> list[FoundMessage]:
        """Return the newest messages of a conversation."""
        page = await self.call("/messages.list", {"conversation_id": identifier})
        return [_message(each) for each in page["data"]]

    async def walk(self, channel_ids: frozenset[str]) -> list[FoundConversation]:
        """Return everything in these channels."""
        mine = [each async for each in self.conversations() if each.channel_id in channel_ids]
        return [
            FoundConversation(
                each.identifier,
                each.unread,
                tuple([message async for message in self.messages(each.identifier)]),
            )
            for each in mine
        ]


def _listed(told: Any) -> Listed:
    unread = told["metadata"]["unread_count"]
    last = _message(told["last_message"])
    return Listed(told["id"], told["channel"]["id"], int(unread), last.key)


def _message(told: Any) -> FoundMessage:
    metadata = told["metadata"]
    reaction = metadata.get("reaction") or {}
    return FoundMessage(
        identifier=told["id"],
        key=_key(told),
        sent_at=Millis(round(datetime.fromisoformat(told["sent_at"]).timestamp() * 1_000)),
        from_contact=told["from_contact"],
        content=told["content"],
        reaction=reaction.get("emoji"),
        state=told["delivery_state"],
        error=metadata.get("error", ""),
    )


def _key(told: Any) -> str | None:
    """Return what tells a message from all others: its source's id for it, or what it carries."""
    if told["source"] == website.SOURCE:
        return website.key_of(told["content"])
    source = told["metadata"].get("source") or {}
    key = source.get("id")
    return key if isinstance(key, str) else None
