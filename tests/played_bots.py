"""Rasa, Cognigy, Watson and a language model, played: what is not as they have it gets a 400."""

import json
import re
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

WATSON_KEY = "a-watson-key"
MODEL_KEY = "sk-played"
MODEL = "small"
HELD_S_MAX = 60.0

_TEXT = (str,)
_FORMS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "rasa": {"message": _TEXT, "sender": _TEXT},
    "cognigy": {"text": _TEXT, "userId": _TEXT, "sessionId": _TEXT},
    "watson": {"input": (dict,), "user_id": _TEXT, "context": (dict, type(None))},
    "openai": {"model": _TEXT, "messages": (list,)},
}
_PATHS = {
    "rasa": re.compile(r"/webhooks/rest/webhook"),
    "cognigy": re.compile(r"/endpoint"),
    "watson": re.compile(r"/v2/assistants/a1/message\?version=2021-06-14"),
    "openai": re.compile(r"/v1/chat/completions"),
}
_CREDENTIALS = {
    "watson": f"Basic {b64encode(f'apikey:{WATSON_KEY}'.encode()).decode()}",
    "openai": f"Bearer {MODEL_KEY}",
}


@dataclass(frozen=True)
class Told:
    """What a bot answers instead of what it usually does, once it does."""

    status: int = 200
    body: bytes = b"[]"
    held_until: Event | None = None


@dataclass(frozen=True)
class Heard:
    """A question that reached a bot."""

    bot: str
    text: str
    conversation: str
    body: dict[str, Any] = field(repr=False)


class PlayedBots(ThreadingHTTPServer):
    """All bots at one address; each says `You said: …`, Rasa only to who begins so."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, rasa_hears: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rasa_hears = rasa_hears
        self.heard: list[Heard] = []
        """Questions, oldest first."""
        self.refused: list[str] = []
        """Why requests were not as they should be."""
        self.answers: dict[str, deque[Told]] = defaultdict(deque)
        """What comes back next for a text."""
        self.contexts: dict[str, dict[str, Any]] = {}
        """What Watson gave with its last answer, by user."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def texts(self) -> list[str]:
        return [each.text for each in self.heard]


@contextmanager
def played_bots(rasa_hears: str = "") -> Iterator[PlayedBots]:
    """Play them for a while."""
    server = PlayedBots(rasa_hears)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: PlayedBots
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        try:
            bot, body = self._understood(raw)
        except ValueError as error:
            self.server.refused.append(str(error))
            self._answer(Told(400, b'{"error":"bad request"}'))
            return
        heard = _heard(bot, body)
        self.server.heard.append(heard)
        queue = self.server.answers[heard.text]
        told = queue.popleft() if queue else Told(200, json.dumps(self._usual(heard)).encode())
        if told.held_until is not None:
            told.held_until.wait(HELD_S_MAX)
        self._answer(told)

    def _understood(self, raw: bytes) -> tuple[str, dict[str, Any]]:
        bot = next((name for name, path in _PATHS.items() if path.fullmatch(self.path)), None)
        if bot is None:
            raise ValueError(f"no such path: {self.path}")
        if self.headers["content-type"] != "application/json":
            raise ValueError("no JSON")
        if self.headers.get("authorization") != _CREDENTIALS.get(bot):
            raise ValueError(f"{bot}: wrong credentials")
        body = json.loads(raw)
        form = _FORMS[bot]
        if not set(body) <= set(form):
            raise ValueError(f"{bot}: unknown fields in {sorted(body)}")
        for name, types in form.items():
            if not isinstance(body.get(name), types):
                raise ValueError(f"{bot}: wrong {name}")
        if bot == "watson":
            self._check_watson(body)
        if bot == "openai" and (body["model"] != MODEL or not _is_dialogue(body["messages"])):
            raise ValueError("openai: no dialogue")
        return bot, body

    def _check_watson(self, body: dict[str, Any]) -> None:
        if set(body["input"]) != {"message_type", "text"}:
            raise ValueError("watson: wrong input")
        if body.get("context") != self.server.contexts.get(body["user_id"]):
            raise ValueError("watson: not the context that it gave")

    def _usual(self, heard: Heard) -> Any:
        text = f"You said: {heard.text}"
        match heard.bot:
            case "rasa" if not heard.text.startswith(self.server.rasa_hears):
                return []
            case "rasa":
                return [{"recipient_id": heard.conversation, "text": text}]
            case "cognigy":
                return {"text": text, "data": {}, "outputStack": []}
            case "watson":
                before = self.server.contexts.get(heard.conversation, {"n": 0})
                self.server.contexts[heard.conversation] = context = {"n": before["n"] + 1}
                generic = [{"response_type": "text", "text": text}]
                return {"output": {"generic": generic}, "context": context}
            case _:
                message = {"role": "assistant", "content": text}
                return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}

    def _answer(self, told: Told) -> None:
        with suppress(ConnectionError):  # who asked has given up
            self.send_response(told.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

    def log_message(self, *_: object) -> None:
        pass


def _heard(bot: str, body: dict[str, Any]) -> Heard:
    match bot:
        case "rasa":
            return Heard(bot, body["message"], body["sender"], body)
        case "cognigy":
            return Heard(bot, body["text"], body["sessionId"], body)
        case "watson":
            return Heard(bot, body["input"]["text"], body["user_id"], body)
        case _:
            return Heard(bot, body["messages"][-1]["content"], "", body)


def _is_dialogue(messages: list[Any]) -> bool:
    roles = [each.get("role") for each in messages if isinstance(each.get("content"), str)]
    return len(roles) == len(messages) and bool(roles) and roles[-1] == "user"
