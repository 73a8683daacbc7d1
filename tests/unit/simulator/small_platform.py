"""A platform small enough to be seen through, with faults that can be switched on."""

import json
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread as OsThread
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake
from airy_ray.simulator.telegram_api import TelegramApi
from airy_ray.simulator.viber_api import ACCOUNT
from airy_ray.sources import custom, facebook, google, telegram, twilio, viber, whatsapp
from airy_ray.sources.source import (
    Overwritten,
    Reacted,
    Receipt,
    Received,
    SourceEvent,
    Webhook,
)

PARSERS = {
    "facebook": facebook.parse,
    "google": google.parse,
    "whatsapp": whatsapp.parse,
    "twilio": twilio.parse,
    "viber": viber.parse,
    "telegram": telegram.parse,
}
CHANNEL_NAMES = ("account_id", "page_id", "gbm_id", "phone_number_id", "phone_number", "name")
"""What is called so in the request to connect is what a channel is called."""


@dataclass
class Faults:
    """What goes wrong: how many requests are refused at first, and what becomes of the tenth."""

    refused: int = 0
    loses_one: bool = False
    doubles_one: bool = False
    forgets_reads: bool = False
    doubles_answers: bool = False
    keeps_answers: bool = False


@dataclass
class Conversation:
    identifier: str
    channel_id: str
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


class SmallPlatform:
    """Keeps everything in memory; unlike the real one it has one clock, thread and copy of all."""

    def __init__(self, faults: Faults) -> None:
        self.telegram = TelegramApi()
        """Where it says what updates of bots are sent to."""
        self.intakes: dict[str, Intake] = {}
        """Where it sends messages to, by source."""
        self.posts: Counter[str] = Counter()
        self.receipts: list[Receipt] = []
        """How far messages that it sent have got, oldest first."""
        self._faults = faults
        self._conversations: dict[str, Conversation] = {}
        self._reactions: dict[str, tuple[int, str | None]] = defaultdict(lambda: (-1, None))
        self._answers: dict[str, dict[str, Any]] = {}
        self._stored = 0

    def messages(self) -> list[dict[str, Any]]:
        """Return all messages that it has."""
        places = self._conversations.values()
        return [each for place in places for each in place.messages.values()]

    @property
    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/webhooks/{hook}", self._webhook, methods=["POST"]),
                Route("/{hook}/{bot}", self._webhook, methods=["POST"]),
                Route("/sources.webhook", self._bring, methods=["POST"]),
                Route("/chatplugin.{call}", self._visitor, methods=["POST"]),
                Route("/{call:path}", self._call, methods=["POST"]),
            ]
        )

    async def _webhook(self, request: Request) -> Response:
        hook = request.path_params["hook"]
        self.posts[hook] += 1
        if self._faults.refused > 0:
            self._faults.refused -= 1
            return Response(status_code=503)
        bot = request.path_params.get("bot", "")
        headers = {facebook.APP_ID: "4711", viber.ACCOUNT: ACCOUNT, telegram.BOT: bot}
        self._take(PARSERS[hook](Webhook(await request.body(), headers)).events)
        return Response()

    async def _bring(self, request: Request) -> Response:
        if request.headers["authorization"] != "Bearer of the source":
            return Response(status_code=403)
        self.posts["custom"] += 1
        self._take(custom.read("crm", await request.body()))
        return Response()

    def _take(self, events: Iterable[SourceEvent]) -> None:
        for event in events:
            if isinstance(event, Overwritten):
                event = event.received
            if isinstance(event, Received):
                key = event.key
                place = self._place(f"{key.source} {key.channel} {key.conversation}", key.channel)
                self._store(place, _shown(event))
            elif isinstance(event, Reacted):
                newest = (event.at or 0, event.emoji)
                known = self._reactions[event.source_message_id]
                self._reactions[event.source_message_id] = max(known, newest, key=lambda it: it[0])
            elif isinstance(event, Receipt):
                self.receipts.append(event)

    async def _visitor(self, request: Request) -> Response:
        told = json.loads(await request.body() or b"{}")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        match request.path_params["call"]:
            case "authenticate" if "resume_token" in told:
                place = self._conversations[told["resume_token"]]
                messages = [each for each in place.messages.values() if each]
                return JSONResponse({"token": place.identifier, "messages": messages})
            case "authenticate":
                place = self._place(str(uuid4()), told["channel_id"])
                return JSONResponse({"token": place.identifier, "messages": []})
            case "resumeToken":
                return JSONResponse({"resume_token": token})
        key = request.headers["idempotency-key"]
        if key not in self._answers:
            at = datetime.now(UTC).isoformat()
            self._answers[key] = _message("chatplugin", key, told["message"], at, is_inbound=True)
            self._store(self._conversations[token], self._answers[key])
        return JSONResponse(self._answers[key])

    async def _call(self, request: Request) -> Response:
        told = json.loads(await request.body())
        places = self._conversations
        match request.path_params["call"]:
            case "channels.viber.connect":
                return JSONResponse({"id": ACCOUNT})
            case "channels.telegram.connect":
                return JSONResponse({"id": self._hear_of_bot(told["bot_token"])})
            case "messages.send":
                return JSONResponse(self._send(places[told["conversation_id"]], told["message"]))
            case "sources.create":
                return JSONResponse({"token": "of the source"})
            case "sources.channels.create":
                return JSONResponse({"id": told["source_channel_id"]}, 201)
            case call if call.endswith(".connect"):
                return JSONResponse(
                    {"id": next(told[each] for each in CHANNEL_NAMES if each in told)}
                )
            case "conversations.list":
                return _page([_listed(each) for each in places.values() if each.messages], told)
            case "messages.list":
                return _page(self._messages(places[told["conversation_id"]]), told)
        if not self._faults.forgets_reads:
            places[told["conversation_id"]].unread.clear()
        return Response(status_code=204)

    def _send(self, place: Conversation, content: Any) -> dict[str, Any]:
        source = next(iter(place.messages.values()))["source"]
        key, at = f"ours-{uuid4()}", datetime.now(UTC).isoformat()
        for _ in range(2 if self._faults.doubles_answers else 1):
            if not self._faults.keeps_answers:
                self.intakes[source].take(place.channel_id, "somebody", content, key)
        message = _message(source, key, content, at, is_inbound=False)
        self._store(place, message)
        return message

    def _hear_of_bot(self, token: str) -> str:
        bot = token.partition(":")[0]
        self.telegram.webhooks[bot] = {"url": f"http://here/telegram/{bot}", "secret_token": "s"}
        return bot

    def _place(self, identifier: str, channel_id: str) -> Conversation:
        return self._conversations.setdefault(identifier, Conversation(identifier, channel_id))

    def _store(self, place: Conversation, shown: dict[str, Any]) -> None:
        if shown["id"] in place.messages:
            return
        self._stored += 1
        if self._faults.loses_one and self._stored == 10:
            place.messages[shown["id"]] = {}
            return
        place.messages[shown["id"]] = shown
        if self._faults.doubles_one and self._stored == 10:
            place.messages[f"{shown['id']} again"] = shown
        if shown["from_contact"]:
            place.unread.add(shown["id"])

    def _messages(self, place: Conversation) -> list[dict[str, Any]]:
        shown = [dict(each) for each in place.messages.values() if each]
        for each in shown:
            emoji = self._reactions[each["id"]][1]
            each["metadata"] = {"source": {"id": each["id"]}, "reaction": {"emoji": emoji}}
        return sorted(shown, key=lambda each: datetime.fromisoformat(each["sent_at"]), reverse=True)


@contextmanager
def serving(platform: SmallPlatform) -> Iterator[str]:
    """Serve a platform at the URL that is yielded."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(platform.application, log_level="error"))
    thread = OsThread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _shown(event: Received) -> dict[str, Any]:
    at = datetime.fromtimestamp((event.sent_at or 0) / 1_000, UTC).isoformat()
    content = json.loads(event.content)
    return _message(event.key.source, event.identity, content, at, is_inbound=event.from_contact)


def _message(source: str, key: str, content: Any, at: str, *, is_inbound: bool) -> dict[str, Any]:
    return {
        "id": key,
        "source": source,
        "content": content,
        "sent_at": at,
        "from_contact": is_inbound,
        "delivery_state": "delivered",
        "metadata": {"source": {"id": key}},
    }


def _listed(place: Conversation) -> dict[str, Any]:
    shown = [each for each in place.messages.values() if each]
    return {
        "id": place.identifier,
        "channel": {"id": place.channel_id},
        "metadata": {"unread_count": float(len(place.unread))},
        "last_message": shown[-1] if shown else _message("", "", {}, "1970-01-01", is_inbound=True),
    }


def _page(items: list[dict[str, Any]], told: dict[str, Any]) -> Response:
    first = int(told.get("cursor") or 0)
    end = first + 3
    following = str(end) if end < len(items) else None
    return JSONResponse({"data": items[first:end], "pagination_data": {"next_cursor": following}})
