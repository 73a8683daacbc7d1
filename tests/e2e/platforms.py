"""The messaging platforms, played: webhooks signed as they sign them, and what we call of them."""

import hmac
import json
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256, sha512
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airy_ray.simulator import graph_api as simulated
from airy_ray.simulator import telegram_api, viber_api
from tests.e2e import recorded

APP_ID: str = recorded.manifest("facebook")["config"]["appId"]
APP_SECRET: str = recorded.manifest("facebook")["config"]["appSecret"]
VERIFY_TOKEN: str = recorded.manifest("facebook")["config"]["webhookSecret"]
TWILIO_TOKEN: str = recorded.manifest("twilio.sms")["config"]["authToken"]
PARTNER_KEY: str = recorded.manifest("google")["config"]["partnerKey"]
JWT_SECRET: str = recorded.manifest("chatplugin")["config"]["jwtSecret"]

SENT_AT = 1_763_712_000_000
"""2025-11-21T08:00:00.000Z"""

REFUSED_TOKEN = "EAArefused"
"""A token that Meta refuses to exchange."""
MUTE_TOKEN = "EAAmute"
"""A token for which Meta answers with a page of HTML."""

GOOGLE_TOKEN = "ya29.played"
ACTION = "/action"
HELD_S_MAX = 60.0
CUT_OFF = 0
"""The status of an answer that does not come: the connection ends."""


@cache
def service_account(url: str) -> str:
    """Return the JSON of a service account whose tokens come from an address."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "client_email": "courier@played.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": f"{url}/token",
    }
    return json.dumps(account)


def signed_by_meta(body: bytes) -> dict[str, str]:
    """Return the headers with which Meta sends a body."""
    digest = hmac.new(APP_SECRET.encode(), body, sha256).hexdigest()
    return {"content-type": "application/json", "x-hub-signature-256": f"sha256={digest}"}


def signed_by_twilio(url: str, form: dict[str, list[str]]) -> dict[str, str]:
    """Return the header with which Twilio signs a form, or only the URL."""
    fields = [name + value for name in sorted(form) for value in sorted(set(form[name]))]
    signature = hmac.digest(TWILIO_TOKEN.encode(), (url + "".join(fields)).encode(), "sha1")
    return {"x-twilio-signature": b64encode(signature).decode()}


def signed_by_google(body: bytes) -> dict[str, str]:
    """Return the headers with which Google sends a body."""
    digest = hmac.new(PARTNER_KEY.encode(), body, sha512).digest()
    signature = b64encode(digest).decode()
    return {"content-type": "application/json", "x-goog-signature": signature}


def agent_body(agent: str, contact: str, name: str, text: str, sent_at: str) -> bytes:
    """Return the body with which Google tells of a message to an agent."""
    message = {"messageId": name, "text": text, "createTime": sent_at}
    told = {
        "agent": f"brands/b/agents/{agent}",
        "conversationId": contact,
        "requestId": f"r-{name}",
        "message": message,
        "sendTime": sent_at,
    }
    return json.dumps(told).encode()


def page_body(page: str, contact: str, name: str, text: str, at: int = SENT_AT) -> bytes:
    """Return the body with which Meta tells of a message to a page."""
    item = {
        "sender": {"id": contact},
        "recipient": {"id": page},
        "timestamp": at,
        "message": {"mid": name, "text": text},
    }
    entry = {"id": page, "time": at, "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


@dataclass(frozen=True)
class Answer:
    """What a platform answers to a message, once it does."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    held_until: Event | None = None


@dataclass(frozen=True)
class Sent:
    """A message that reached a platform, whatever it answered; `known_as` is what it calls it.

    Of one that reached an action endpoint `token` is the signature.
    """

    path: str
    token: str
    body: dict[str, Any]
    text: str
    known_as: str
    raw: bytes = b""


class GraphApi(ThreadingHTTPServer):
    """Meta's Graph API, Google's, and an action endpoint: what connecting and sending call."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[Sent] = []
        """Messages, oldest first."""
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        """What comes back next for a text; messages for which there is nothing are taken."""
        self.people: dict[str, dict[str, str]] = {}
        """What is told of people by their ids; of others nothing."""
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        """Method, path and query of each call, oldest first."""
        self.page: dict[str, Any] = recorded.response("facebook", "api_page.json")
        self.subscribed: dict[str, Any] = recorded.response("facebook", "api_subscribed_apps.json")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: GraphApi

    def do_GET(self) -> None:
        path, query = self._called("GET")
        if path == "/v25.0/oauth/access_token":
            self._exchange(query["fb_exchange_token"])
        elif path == "/v25.0/me/accounts":
            page = 2 if "after" in query else 1
            self._answer(200, recorded.response("facebook", f"api_accounts_{page}.json"))
        elif path.endswith("/conversations") or "first_name" in query.get("fields", ""):
            self._tell_of(query.get("user_id") or path.rpartition("/")[2], path)
        else:
            self._answer(200, self.server.page | {"id": path.rpartition("/")[2]})

    def do_POST(self) -> None:
        path, _ = self._called("POST")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if path == "/token":
            self._answer(200, {"access_token": GOOGLE_TOKEN, "expires_in": 3_599})
        elif path == ACTION:
            self._act(body)
        elif path.endswith("/messages"):
            self._take(path, json.loads(body))
        else:
            self._answer(200, self.server.subscribed)

    def _tell_of(self, person: str, path: str) -> None:
        """Tell of a person, or answer what is to be answered to the call."""
        answers, told = self.server.answers[path], self.server.people.get(person)
        if answers:
            answer = answers.popleft()
            if answer.held_until is not None:
                answer.held_until.wait(HELD_S_MAX)
        elif path.endswith("/conversations"):
            answer = Answer(200, b'{"data":[]}')
        elif told is None:
            refusal = recorded.response("facebook", "api_profile_error.json")
            answer = Answer(400, json.dumps(refusal).encode())
        else:
            answer = Answer(200, json.dumps(told | {"id": person}).encode())
        with suppress(BrokenPipeError, ConnectionResetError):  # the caller is gone
            self._send(answer.status, answer.body, answer.headers)

    def _act(self, raw: bytes) -> None:
        """Take a message as the action endpoint of a custom source does."""
        body = json.loads(raw)
        text = body["payload"]["message"]["content"]["text"]
        known_as = f"a_{uuid4().hex}"
        signature = self.headers["x-airy-content-signature"]
        self._note(
            Sent(ACTION, signature, body, text, known_as, raw), {"source_message_id": known_as}
        )

    def _take(self, path: str, body: dict[str, Any]) -> None:
        """Take a message, or that one was read, as a platform does."""
        if body.get("status") == "read":
            body["text"] = {"body": f"read {body['message_id']}"}
        text = body.get("message", body)["text"]
        is_whatsapp = "messaging_product" in body
        text = text["body"] if is_whatsapp else text
        known_as = body.get("messageId", f"m_{uuid4().hex}")
        token = self.headers["authorization"].removeprefix("Bearer ")
        told = {"messages": [{"id": known_as}]} if is_whatsapp else {"message_id": known_as}
        self._note(Sent(path, token, body, text, known_as), told)

    def _note(self, sent: Sent, told: dict[str, Any]) -> None:
        """Take a message, or answer what is to be answered to its text."""
        self.server.sent.append(sent)
        taken = Answer(200, json.dumps(told).encode())
        answers = self.server.answers[sent.text]
        answer = answers.popleft() if answers else taken
        if answer.held_until is not None:
            answer.held_until.wait(HELD_S_MAX)
        if answer.status == CUT_OFF:
            self.close_connection = True
            return
        with suppress(BrokenPipeError, ConnectionResetError):  # the caller is gone
            self._send(answer.status, answer.body, answer.headers)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _called(self, method: str) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.calls.append((method, parts.path, query))
        return parts.path, query

    def _exchange(self, token: str) -> None:
        if token == REFUSED_TOKEN:
            self._answer(400, recorded.response("facebook", "api_connect_error.json"))
        elif token == MUTE_TOKEN:
            self._send(502, b"<html>Bad gateway</html>")
        else:
            self._answer(200, recorded.response("facebook", "api_token_exchange.json"))

    def _answer(self, status: int, told: Any) -> None:
        self._send(status, json.dumps(told).encode())

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def graph_api() -> Iterator[GraphApi]:
    """Serve the Graph API for a while."""
    with GraphApi() as server:
        thread = Thread(target=server.serve_forever, args=[0.02], name="graph-api")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Played:
    """WhatsApp, Viber and Telegram at one address, as `airy-ray simulate` plays them."""

    phone_number = "106540352242922"
    other_phone_number = "106540352242944"
    viber_token = "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9"
    bot_token = telegram_api.BOT_TOKEN
    user_token = simulated.USER_TOKEN
    system_user_token = simulated.SYSTEM_USER_TOKEN
    verify_token: str = recorded.manifest("whatsapp")["config"]["webhookSecret"]

    def __init__(self) -> None:
        self.app = {"app_id": "12345", "app_secret": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
        self.viber = viber_api.ViberApi(self.viber_token)
        self.telegram = telegram_api.TelegramApi(*recorded.BOT_TOKENS.values())
        numbers = [self.phone_number, self.other_phone_number]
        self.graph = simulated.GraphApi(
            [],
            app_id=self.app["app_id"],
            app_secret=self.app["app_secret"],
            phone_numbers=numbers,
        )
        self.server = simulated.GraphServer(
            self.graph,
            0,
            [*viber_api.routes(self.viber), *telegram_api.routes(self.telegram)],
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What a platform that calls them is told."""
        url = f"http://127.0.0.1:{self.server.port}"
        return {
            "whatsapp": self.app | {"webhook_secret": self.verify_token, "api_url": url},
            "viber": {
                "auth_token": self.viber_token,
                "api_url": url,
                "welcome_message": json.loads(
                    recorded.manifest("viber")["config"]["welcomeMessage"]
                ),
            },
            "twilio": {"auth_token": TWILIO_TOKEN},
            "telegram": {"api_url": url},
        }


@contextmanager
def played() -> Iterator[Played]:
    """Serve the APIs of other platforms than Meta's Messenger for a while."""
    served = Played()
    with served.server:
        yield served
