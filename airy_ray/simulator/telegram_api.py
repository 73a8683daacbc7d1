"""Telegram's Bot API, played: connecting a bot, sending, asking for chats (sources §7)."""

from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

BOT_TOKEN = "7012345678:AAH-simulated"  # noqa: S105 - opens nothing but this server
_TEXT_UNITS_MAX = 4_096


class TelegramApi:
    """Bots by their tokens."""

    def __init__(self, *tokens: str) -> None:
        self.webhooks: dict[str, dict[str, Any]] = {}
        """What each bot's updates are sent to and with, by its id."""
        self.sent: list[dict[str, Any]] = []
        """The messages that were taken, oldest first."""
        self.answered: list[str] = []
        """The presses of buttons that were answered, oldest first."""
        self.blocked_by: set[str] = set()
        """The chats that want nothing of any bot."""
        self.chats: dict[str, dict[str, Any]] = {}
        """What is told of chats with bots, by their ids."""
        self._tokens = tokens

    def answer(self, token: str, method: str, asked: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and body with which Telegram answers a call."""
        if token not in self._tokens:
            return _refusal(401, "Unauthorized")
        bot = token.partition(":")[0]
        if method == "getMe":
            name = f"Simulated bot {bot[-4:]}"
            return _result({"id": int(bot), "is_bot": True, "first_name": name})
        if method == "setWebhook":
            if not isinstance(asked, dict) or not str(asked.get("url")).startswith("http"):
                return _refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided")
            self.webhooks[bot] = asked
            return _result(result=True)
        if method == "deleteWebhook":
            self.webhooks.pop(bot, None)
            return _result(result=True)
        if method == "answerCallbackQuery":
            self.answered.append(_text(asked, "callback_query_id"))
            return _result(result=True)
        if method == "getChat":
            chat = _text(asked, "chat_id")
            if chat not in self.chats:
                return _refusal(400, "Bad Request: chat not found")
            return _result({"id": int(chat), **self.chats[chat]})
        if method.startswith("send"):
            return self._take(asked)
        return _refusal(404, "Not Found")

    def _take(self, asked: Any) -> tuple[int, dict[str, Any]]:
        """Take a message; several in one are called by consecutive numbers."""
        chat = _text(asked, "chat_id")
        if not chat.removeprefix("-").isdecimal():
            return _refusal(400, "Bad Request: chat not found")
        if chat in self.blocked_by:
            return _refusal(403, "Forbidden: bot was blocked by the user")
        if len(_text(asked, "text").encode("utf-16-le", "surrogatepass")) > 2 * _TEXT_UNITS_MAX:
            return _refusal(400, "Bad Request: message is too long")
        self.sent.append(asked)
        taken = {"message_id": len(self.sent), "chat": {"id": int(chat), "type": "private"}}
        return _result([taken] if "media" in asked else taken)


def routes(api: TelegramApi) -> list[Route]:
    """Return where the API is served."""

    async def called(request: Request) -> JSONResponse:
        try:
            asked = await request.json()
        except (JSONDecodeError, UnicodeDecodeError):
            asked = None
        path = request.path_params
        status, told = api.answer(path["token"], path["method"], asked)
        return JSONResponse(told, status_code=status)

    return [Route("/bot{token}/{method}", called, methods=["GET", "POST"])]


def _text(asked: Any, name: str) -> str:
    value = asked.get(name) if isinstance(asked, dict) else None
    return value if isinstance(value, str) else ""


def _result(result: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"ok": True, "result": result}


def _refusal(status: int, told: str) -> tuple[int, dict[str, Any]]:
    return status, {"ok": False, "error_code": status, "description": told}
