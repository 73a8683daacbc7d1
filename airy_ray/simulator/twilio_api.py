"""Twilio's REST API, played: what sending calls (contract: sources §4.3)."""

import re
from base64 import b64decode
from functools import partial
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake, Trouble

_TEXT_MAX = 1_600
_MEDIA_MAX = 10
_NUMBER = re.compile(r"(whatsapp:)?\+[1-9][0-9]{1,14}")
_TEMPLATE = re.compile(r"HX[0-9a-f]{32}")


class TwilioError(Exception):
    """What Twilio answers to a call that it refuses."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(status, code, text)
        self.status = status
        self.code = code
        self.text = text


_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: partial(
        TwilioError, 400, 63016, "Failed to send freeform message outside the allowed window."
    ),
    Trouble.RATE_LIMITED: partial(TwilioError, 429, 20429, "Too Many Requests"),
    Trouble.DOWN: partial(TwilioError, 503, 20503, "Service unavailable"),
    Trouble.TOKEN_EXPIRED: partial(TwilioError, 401, 20003, "Authenticate"),
}
_UNSUBSCRIBED = partial(TwilioError, 400, 21610, "Attempt to send to unsubscribed recipient")


class TwilioApi:
    """One account, known by its id and token; every sender is its own."""

    def __init__(self, account_sid: str, auth_token: str) -> None:
        self.intake = Intake()
        self.account_sid = account_sid
        self._auth_token = auth_token

    def send(self, account_sid: str, credentials: str, form: dict[str, list[str]]) -> Any:
        """Take a message."""
        if (account_sid, credentials) != (
            self.account_sid,
            f"{self.account_sid}:{self._auth_token}",
        ):
            raise _REFUSALS[Trouble.TOKEN_EXPIRED]()
        to, sender = _one(form, "To"), _one(form, "From")
        if not _NUMBER.fullmatch(to):
            raise TwilioError(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if not _NUMBER.fullmatch(sender) or sender.startswith("whatsapp:") != to.startswith(
            "whatsapp:"
        ):
            raise TwilioError(400, 21910, "Invalid From and To pair.")
        trouble = self.intake.meet(to)
        if trouble is Trouble.OUTSIDE_WINDOW and not to.startswith("whatsapp:"):
            raise _UNSUBSCRIBED()  # messages have no window, but people may have had enough
        if trouble is not None:
            raise _REFUSALS[trouble]()
        _check(form)
        digest = blake2b(f"{to} {self.intake.count}".encode(), digest_size=16).hexdigest()
        self.intake.take(sender, to, form, f"SM{digest}")
        told = {"sid": f"SM{digest}", "status": "queued", "to": to, "from": sender}
        return told | {"error_code": None, "error_message": None, "num_segments": "1"}


def routes(api: TwilioApi) -> list[Route]:
    """Return where the API is served."""

    async def send(request: Request) -> Response:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            credentials = b64decode(encoded).decode() if scheme == "Basic" else ""
            told = api.send(request.path_params["account_sid"], credentials, form)
        except TwilioError as error:
            return _refused(error)
        except ValueError:
            return _refused(_REFUSALS[Trouble.TOKEN_EXPIRED]())
        return await api.intake.answer(told["to"], told, 201)

    path = "/2010-04-01/Accounts/{account_sid}/Messages.json"
    return [Route(path, send, methods=["POST"])]


def _check(form: dict[str, list[str]]) -> None:
    """Raise what is wrong with a message, if anything is."""
    text, template, files = _one(form, "Body"), _one(form, "ContentSid"), form.get("MediaUrl", [])
    if not (text or template or files):
        raise TwilioError(400, 21602, "Message body is required.")
    if len(text) > _TEXT_MAX:
        problem = "The concatenated message body exceeds the 1600 character limit."
        raise TwilioError(400, 21617, problem)
    if template and not _TEMPLATE.fullmatch(template):
        raise TwilioError(400, 21655, "The ContentSid is invalid.")
    if len(files) > _MEDIA_MAX:
        raise TwilioError(400, 21623, "Number of media files exceeds allowed limit")
    if not all(each.startswith(("http://", "https://")) for each in files):
        raise TwilioError(400, 21620, "Invalid media URL(s)")


def _one(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _refused(error: TwilioError) -> JSONResponse:
    told = {
        "code": error.code,
        "message": error.text,
        "more_info": f"https://www.twilio.com/docs/errors/{error.code}",
        "status": error.status,
    }
    return JSONResponse(told, status_code=error.status)
