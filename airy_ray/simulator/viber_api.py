"""Viber's REST API, played: connecting a bot, sending, asking for people (contract: sources §6).

Refusals come with HTTP 200 and a status of Viber's own, as Viber does it.
"""

import json
from hashlib import blake2b
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake, Trouble

ACCOUNT = "pa:75346594275468546724"
_EVENTS = ("subscribed", "unsubscribed", "conversation_started", "delivered", "failed", "seen")
_NEEDED = {
    "text": ("text",),
    "picture": ("media", "text"),
    "video": ("media", "size"),
    "file": ("media", "size", "file_name"),
    "contact": ("contact",),
    "location": ("location",),
    "url": ("media",),
    "sticker": ("sticker_id",),
    "rich_media": ("rich_media",),
}
"""What each type of message has to bring along."""
_JSON_BYTES_MAX = 30_000
_TEXT_MAX = {"text": 7_000, "picture": 768}
_SENDER_MAX = 28
_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: (6, "receiverNotSubscribed"),
    Trouble.RATE_LIMITED: (12, "tooManyRequests"),
    Trouble.DOWN: (99, "generalError"),
    Trouble.TOKEN_EXPIRED: (2, "invalidAuthToken"),
}
_DETAILS_MAX = 2
"""How often a contact may be asked for, which Viber counts anew after twelve hours."""


class ViberApi:
    """One bot, known by its token."""

    def __init__(self, auth_token: str) -> None:
        self.webhook = ""
        """Where its events go; nowhere if empty."""
        self.intake = Intake()
        self.people: dict[str, dict[str, Any]] = {}
        """Who is subscribed to the bot: what Viber tells of them, by their ids."""
        self.asked: list[str] = []
        """Who was asked for, oldest first, whatever was answered."""
        self._auth_token = auth_token

    def answer(self, method: str, token: str | None, asked: Any) -> dict[str, Any]:
        """Return what Viber answers to a call."""
        if token != self._auth_token:
            return _refusal(2, "invalidAuthToken")
        told = asked if isinstance(asked, dict) else {}
        if method == "get_account_info":
            return {
                "status": 0,
                "status_message": "ok",
                "id": ACCOUNT,
                "name": "Simulated bot",
                "icon": "https://media-direct.example.org/icon.png",
                "uri": "simulated",
                "event_types": list(_EVENTS),
                "webhook": self.webhook,
            }
        if method == "get_user_details":
            return self._details(told.get("id"))
        if method == "send_message":
            return self._take(told)
        if method != "set_webhook":
            return _refusal(3, "badData")
        url = told.get("url")
        if not isinstance(url, str) or (url and not url.startswith(("http://", "https://"))):
            return _refusal(1, "invalidUrl")
        self.webhook = url
        return {"status": 0, "status_message": "ok", "event_types": list(_EVENTS) if url else []}

    def _details(self, identifier: object) -> dict[str, Any]:
        if not isinstance(identifier, str) or not identifier:
            return _refusal(3, "badData")
        self.asked.append(identifier)
        if self.asked.count(identifier) > _DETAILS_MAX:
            return _refusal(12, "tooManyRequests")
        if identifier not in self.people:
            return _refusal(5, "receiverNotRegistered")
        user = {"id": identifier, **self.people[identifier]}
        return {"status": 0, "status_message": "ok", "message_token": 1, "user": user}

    def _take(self, told: dict[str, Any]) -> dict[str, Any]:
        """Take a message."""
        to = told.get("receiver")
        if not isinstance(to, str) or not to:
            return _refusal(4, "missingData")
        trouble = self.intake.meet(to)
        wrong = _wrong_with(told) if trouble is None else _REFUSALS[trouble]
        if wrong is not None:
            return _refusal(*wrong)
        digest = blake2b(f"{to} {self.intake.count}".encode(), digest_size=7).digest()
        token = 5 << 60 | int.from_bytes(digest, "big")  # above 2**53, as Viber's
        self.intake.take(ACCOUNT, to, told, str(token))
        return {
            "status": 0,
            "status_message": "ok",
            "message_token": token,
            "chat_hostname": "SN-CHAT-05_",
            "billing_status": 1,
        }


def routes(api: ViberApi) -> list[Route]:
    """Return where the API is served."""

    async def called(request: Request) -> Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        method, token = request.path_params["method"], request.headers.get("x-viber-auth-token")
        told = api.answer(method, token, asked)
        if method == "send_message" and told["status"] == 0:
            return await api.intake.answer(asked["receiver"], told)
        return JSONResponse(told)

    return [Route("/pa/{method}", called, methods=["POST"])]


def _wrong_with(told: dict[str, Any]) -> tuple[int, str] | None:
    """Return why Viber does not take a message, if it does not."""
    kind = str(told.get("type"))
    sender = told.get("sender")
    name = sender.get("name") if isinstance(sender, dict) else None
    if kind not in _NEEDED:
        return 3, "badData"
    if not isinstance(name, str) or not name or any(each not in told for each in _NEEDED[kind]):
        return 4, "missingData"
    is_long = len(str(told.get("text", ""))) > _TEXT_MAX.get(kind, _JSON_BYTES_MAX)
    if is_long or len(name) > _SENDER_MAX or len(json.dumps(told)) > _JSON_BYTES_MAX:
        return 3, "badData"
    return None


def _refusal(status: int, told: str) -> dict[str, Any]:
    return {"status": status, "status_message": told, "chat_hostname": "SN-CHAT-05_"}
