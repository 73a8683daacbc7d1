"""Telegram's Bot API, played: connecting a bot, sending, asking for chats (sources §7)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake, Trouble

BOT_TOKEN = "7012345678:AAH-simulated"  # noqa: S105 - opens nothing but this server
RETRY_AFTER_S = 2
"""How long a chat has to wait that got too much."""
_UNITS_MAX = {"text": 4_096, "caption": 1_024}
_NEEDED = {
    "sendMessage": "text",
    "sendPhoto": "photo",
    "sendVideo": "video",
    "sendAnimation": "animation",
    "sendAudio": "audio",
    "sendVoice": "voice",
    "sendDocument": "document",
    "sendSticker": "sticker",
    "sendVenue": "address",
    "sendLocation": "latitude",
    "sendContact": "phone_number",
    "sendMediaGroup": "media",
    "sendPoll": "question",
}
"""What each method has to be given."""

Answer = tuple[int, dict[str, Any]]


class TelegramApi:
    """Bots by their tokens."""

    def __init__(self, *tokens: str) -> None:
        self.webhooks: dict[str, dict[str, Any]] = {}
        """What each bot's updates are sent to and with, by its id."""
        self.intake = Intake()
        self.answered: list[str] = []
        """The presses of buttons that were answered, oldest first."""
        self.blocked_by: set[str] = set()
        """The chats that want nothing of any bot."""
        self.chats: dict[str, dict[str, Any]] = {}
        """What is told of chats with bots, by their ids."""
        self._tokens = tokens

    def answer(self, token: str, method: str, asked: Any) -> Answer:
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
        if method in _NEEDED:
            return self._take(bot, method, asked if isinstance(asked, dict) else {})
        return _refusal(404, "Not Found")

    def _take(self, bot: str, method: str, asked: dict[str, Any]) -> Answer:
        """Take a message; several in one are called by consecutive numbers."""
        chat = _text(asked, "chat_id")
        if not chat.removeprefix("-").isdecimal():
            return _refusal(400, "Bad Request: chat not found")
        trouble = self.intake.meet(chat)
        if trouble is not None:
            return _REFUSALS[trouble]
        wrong = self._wrong_with(method, chat, asked)
        if wrong is not None:
            return wrong
        number = self.intake.count + 1
        self.intake.take(bot, chat, asked, f"{chat}:{number}")
        taken = {"message_id": number, "chat": {"id": int(chat), "type": "private"}}
        return _result([taken] if method == "sendMediaGroup" else taken)

    def _wrong_with(self, method: str, chat: str, asked: dict[str, Any]) -> Answer | None:
        """Return how Telegram refuses a message, if it does."""
        if chat in self.blocked_by:
            return _refusal(403, "Forbidden: bot was blocked by the user")
        if not asked.get(_NEEDED[method]):
            is_text = method == "sendMessage"
            told = "message text is empty" if is_text else f"there is no {_NEEDED[method]}"
            return _refusal(400, f"Bad Request: {told}")
        for name, most in _UNITS_MAX.items():
            if _units(_text(asked, name)) > most:
                told = "message" if name == "text" else "message caption"
                return _refusal(400, f"Bad Request: {told} is too long")
        reply = asked.get("reply_parameters")
        number = reply.get("message_id") if isinstance(reply, dict) else None
        if reply is not None and not isinstance(number, int):
            return _refusal(400, "Bad Request: message to be replied not found")
        return None


def routes(api: TelegramApi) -> list[Route]:
    """Return where the API is served."""

    async def called(request: Request) -> Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        path = request.path_params
        status, told = api.answer(path["token"], path["method"], asked)
        if status == 200 and path["method"] in _NEEDED:
            return await api.intake.answer(_text(asked, "chat_id"), told)
        return JSONResponse(told, status_code=status)

    return [Route("/bot{token}/{method}", called, methods=["GET", "POST"])]


def _text(asked: Any, name: str) -> str:
    value = asked.get(name) if isinstance(asked, dict) else None
    return value if isinstance(value, str) else ""


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _result(result: Any) -> Answer:
    return 200, {"ok": True, "result": result}


def _refusal(status: int, told: str, **parameters: int) -> Answer:
    more = {"parameters": parameters} if parameters else {}
    return status, {"ok": False, "error_code": status, "description": told, **more}


_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: _refusal(403, "Forbidden: bot was blocked by the user"),
    Trouble.RATE_LIMITED: _refusal(
        429,
        f"Too Many Requests: retry after {RETRY_AFTER_S}",
        retry_after=RETRY_AFTER_S,
    ),
    Trouble.DOWN: _refusal(502, "Bad Gateway"),
    Trouble.TOKEN_EXPIRED: _refusal(401, "Unauthorized"),
}
