"""Telegram's Bot API, played: connecting a bot, sending, asking for chats (sources §7)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator import forms
from airy_ray.simulator.forms import File
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

_FILE_FIELDS = (
    *("photo", "video", "animation", "audio", "voice", "document", "sticker", "video_note"),
)
_IN_JSON = ("media", "reply_parameters", "reply_markup", "entities", "caption_entities", "options")
"""What is JSON in a form, too."""
_ATTACHED = "attach://"
_WRONG_ID = "Bad Request: wrong remote file identifier specified: Wrong string length"
_PHOTO_BYTES_MAX, _BYTES_MAX = 10 << 20, 50 << 20

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
        self.files: dict[str, File] = {}
        """What came with messages, by the ids that messages may name it with from then on."""
        self.pictures: dict[str, bytes] = {}
        """The pictures of people, by their ids."""
        self._tokens = tokens

    def answer(
        self, token: str, method: str, asked: Any, files: Mapping[str, File] | None = None
    ) -> Answer:
        """Return the status and body with which Telegram answers a call; `files` came with it."""
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
        if method == "getUserProfilePhotos":
            return _result(self._photos(asked))
        if method == "getFile":
            return self._file(_text(asked, "file_id"))
        if method in _NEEDED:
            return self._take(bot, method, asked if isinstance(asked, dict) else {}, files or {})
        return _refusal(404, "Not Found")

    def download(self, token: str, path: str) -> bytes | None:
        """Return what is in a file; None if there is none there for this bot."""
        known_as = path.removeprefix("photos/").removesuffix(".jpg")
        return self.pictures.get(known_as) if token in self._tokens else None

    def _photos(self, asked: Any) -> dict[str, Any]:
        """Return the pictures of a person, each in several sizes, the largest last."""
        person = asked.get("user_id") if isinstance(asked, dict) else None
        if str(person) not in self.pictures:
            return {"total_count": 0, "photos": []}
        sizes = [
            {"file_id": f"{size}-{person}", "file_unique_id": f"u-{size}", "width": size}
            for size in (160, 320, 640)
        ]
        return {"total_count": 1, "photos": [sizes]}

    def _file(self, name: str) -> Answer:
        """Return where a file is."""
        size, _, person = name.partition("-")
        if size != "640" or person not in self.pictures:
            return _refusal(
                400, "Bad Request: wrong file_id or the file is temporarily unavailable"
            )
        return _result({"file_id": name, "file_path": f"photos/{person}.jpg"})

    def _take(
        self, bot: str, method: str, asked: dict[str, Any], files: Mapping[str, File]
    ) -> Answer:
        """Take a message; several in one are called by consecutive numbers."""
        asked = {name: _ATTACHED + name for name in files if name in _FILE_FIELDS} | asked
        chat = _text(asked, "chat_id")
        if not chat.removeprefix("-").isdecimal():
            return _refusal(400, "Bad Request: chat not found")
        trouble = self.intake.meet(chat)
        if trouble is not None:
            return _REFUSALS[trouble]
        wrong = self._wrong_with(method, chat, asked) or self._wrong_with_files(asked, files)
        if wrong is not None:
            return wrong
        number = self.intake.count + 1
        self.intake.take(bot, chat, self._with_ids(asked, files), f"{chat}:{number}")
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

    def _wrong_with_files(self, asked: dict[str, Any], files: Mapping[str, File]) -> Answer | None:
        """Return how Telegram refuses the files of a message, if it does."""
        if sum(len(file.content) for file in files.values()) > _BYTES_MAX:
            return _refusal(413, "Request Entity Too Large")
        for kind, named in _named_files(asked):
            if not isinstance(named, str):
                return _refusal(400, f"Bad Request: there is no {kind}")
            file = files.get(named.removeprefix(_ATTACHED))
            size = 0 if file is None else len(file.content)
            if named.startswith(_ATTACHED) and not size:
                return _refusal(400, "Bad Request: file must be non-empty")
            if kind == "photo" and size > _PHOTO_BYTES_MAX:
                told = f"file of size {size} bytes is too big for a photo"
                return _refusal(
                    400, f"Bad Request: {told}; the maximum size is {_PHOTO_BYTES_MAX} bytes"
                )
            if not named.startswith((_ATTACHED, "http://", "https://")) and named not in self.files:
                return _refusal(400, _WRONG_ID)
        return None

    def _with_ids(self, asked: dict[str, Any], files: Mapping[str, File]) -> dict[str, Any]:
        """Keep the files of a message; return it with their ids in their places."""
        ids: dict[str, str] = {}
        for name, file in files.items():
            ids[_ATTACHED + name] = known_as = f"AgACAgIAAx{len(self.files)}"
            self.files[known_as] = file

        def placed(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: placed(each) for name, each in value.items()}
            if isinstance(value, list):
                return [placed(each) for each in value]
            return ids.get(value, value) if isinstance(value, str) else value

        taken: dict[str, Any] = placed(asked)
        return taken


def routes(api: TelegramApi) -> list[Route]:
    """Return where the API is served."""

    async def called(request: Request) -> Response:
        asked, files = await _read(request)
        path = request.path_params
        status, told = api.answer(path["token"], path["method"], asked, files)
        if status == 200 and path["method"] in _NEEDED:
            return await api.intake.answer(_text(asked, "chat_id"), told)
        return JSONResponse(told, status_code=status)

    async def download(request: Request) -> Response:
        found = api.download(request.path_params["token"], request.path_params["path"])
        if found is None:
            return JSONResponse(_refusal(404, "Not Found")[1], status_code=404)
        return Response(found, media_type="application/octet-stream")

    return [
        Route("/bot{token}/{method}", called, methods=["GET", "POST"]),
        Route("/file/bot{token}/{path:path}", download),
    ]


async def _read(request: Request) -> tuple[Any, dict[str, File]]:
    """Return what a bot asks for, as JSON or in a form, and the files that came with it."""
    if request.method == "GET":
        return dict(request.query_params), {}
    try:
        if not forms.is_form(request):
            return await request.json(), {}
        form = await forms.read(request)
        read = {
            name: json.loads(text) if name in _IN_JSON else text
            for name, text in form.fields.items()
        }
    except ValueError:
        return None, {}
    return read, form.files


def _named_files(asked: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the kinds of files that a message shows, and how it names them."""
    for name in _FILE_FIELDS:
        if name in asked:
            yield name, asked[name]
    group = asked.get("media")
    for each in group if isinstance(group, list) else ():
        part = each if isinstance(each, dict) else {}
        yield str(part.get("type", "media")), part.get("media")


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
