"""Viber's REST API, played: what connecting a bot and asking for people call (sources §6).

Refusals come with HTTP 200 and a status of Viber's own, as Viber does it.
"""

from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ACCOUNT = "pa:75346594275468546724"
_EVENTS = ("subscribed", "unsubscribed", "conversation_started", "delivered", "failed", "seen")
_DETAILS_MAX = 2
"""How often a contact may be asked for, which Viber counts anew after twelve hours."""


class ViberApi:
    """One bot, known by its token."""

    def __init__(self, auth_token: str) -> None:
        self.webhook = ""
        """Where its events go; nowhere if empty."""
        self.people: dict[str, dict[str, Any]] = {}
        """Who is subscribed to the bot: what Viber tells of them, by their ids."""
        self.asked: list[str] = []
        """Who was asked for, oldest first, whatever was answered."""
        self._auth_token = auth_token

    def answer(self, method: str, token: str | None, asked: Any) -> dict[str, Any]:
        """Return what Viber answers to a call."""
        if token != self._auth_token:
            return _refusal(2, "invalidAuthToken")
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
            return self._details(asked.get("id") if isinstance(asked, dict) else None)
        if method != "set_webhook":
            return _refusal(3, "badData")
        url = asked.get("url") if isinstance(asked, dict) else None
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


def routes(api: ViberApi) -> list[Route]:
    """Return where the API is served."""

    async def called(request: Request) -> JSONResponse:
        try:
            asked = await request.json()
        except (JSONDecodeError, UnicodeDecodeError):
            asked = None
        token = request.headers.get("x-viber-auth-token")
        return JSONResponse(api.answer(request.path_params["method"], token, asked))

    return [Route("/pa/{method}", called, methods=["POST"])]


def _refusal(status: int, told: str) -> dict[str, Any]:
    return {"status": status, "status_message": told, "chat_hostname": "SN-CHAT-05_"}
