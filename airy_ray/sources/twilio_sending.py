"""Messages to phone numbers through Twilio: SMS and WhatsApp (sources §4.3)."""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources import attached, sending
from airy_ray.sources.attached import Limit, Place
from airy_ray.sources.sending import (
    Authorized,
    Call,
    Later,
    Outbound,
    Pace,
    Refused,
    Reply,
    Taken,
    Verdict,
)

_WHATSAPP = "whatsapp:"
_PASSING = frozenset({20429, 14107, 63018})
_NOTHING_TO_SEND = 'Malformed message. Requires either "Body" or "MediaUrl" property'
_PLACES = (Place((), ("MediaUrl",)),)
_MMS_BYTES_MAX = 5 << 20
"""Of all files of a message together."""
_WHATSAPP_FILE = Limit(16 << 20)
_SMS_PER_S, _WHATSAPP_PER_S = 1.0, 80.0


class TwilioSending(msgspec.Struct, frozen=True, tag="twilio"):
    """Twilio's API of messages, for one account and one of its two sources.

    Attributes:
        status_url: where Twilio is to tell what became of a message; as signed, to the letter.
            Empty where it cannot reach us.
        is_whatsapp: whether it is WhatsApp, which is faster than a phone number.
    """

    api_url: str
    account_sid: str | None
    auth_token: str | None
    status_url: str
    is_whatsapp: bool = False

    is_deduplicating = False
    opens_conversations = True
    needs_token = False
    expires = True

    def pace(self, content: bytes) -> Pace:
        """Return the limit of a sender on WhatsApp, or of an ordinary phone number."""
        return Pace(_WHATSAPP_PER_S if self.is_whatsapp else _SMS_PER_S)

    def authorization(self, channel: str, at: Millis) -> Call | None:
        """Return None: each call brings the account's token."""
        return None

    def authorized(self, reply: Reply) -> Authorized | Refused | Later:
        """Never asked."""
        raise AssertionError("there is no call to get a token")

    def calls(self, message: Outbound) -> list[Call]:
        """Return the one call; over-long text is for Twilio to refuse."""
        if self.account_sid is None or self.auth_token is None:
            raise DeliveryError("sources.twilio: account_sid and auth_token are not both set")
        recipient = message.recipient
        if self.is_whatsapp and not recipient.startswith(_WHATSAPP):
            recipient = _WHATSAPP + recipient
        form = [
            ("To", recipient),
            ("From", message.channel),
            *_content(message.content),
        ]
        self._check(message)
        if self.status_url:
            form.append(("StatusCallback", self.status_url))
        return [
            Call(
                "POST",
                f"{self.api_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}/Messages.json",
                {
                    "authorization": sending.basic_login(self.account_sid, self.auth_token),
                    "content-type": "application/x-www-form-urlencoded",
                },
                urlencode(form, errors="replace").encode(),
            )
        ]

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of files, which Twilio fetches itself."""
        return attached.links(content, _PLACES)

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Twilio's answer means."""
        told = reply.told()
        if 200 <= reply.status < 300:
            sid = told.get("sid")
            return Taken(sid if isinstance(sid, str) and sid else None)
        reason = told.get("message")
        shown = reason if isinstance(reason, str) and reason else None
        return sending.not_taken(reply, shown, may_pass=told.get("code") in _PASSING)

    def _check(self, message: Outbound) -> None:
        """Raise `DeliveryError` if Twilio takes no such files, or cannot fetch them."""
        attached.check_reachable(message.files)
        files = message.files.values()
        if self.is_whatsapp:
            for file in files:
                _WHATSAPP_FILE.check(file, "file")
        elif (size := sum(file.size for file in files)) > _MMS_BYTES_MAX:
            raise attached.too_large("message", size, _MMS_BYTES_MAX)


def _content(content: bytes) -> list[tuple[str, str]]:
    """Return what a message says as fields of a form."""
    named = sending.fields(content)
    text, template = _value(named, "Body"), _value(named, "ContentSid")
    form: list[tuple[str, str]] = []
    if isinstance(text, str) and text:
        form.append(("Body", text))
    form += [("MediaUrl", each) for each in _media(_value(named, "MediaUrl"))]
    if isinstance(template, str) and template:
        form.append(("ContentSid", template))
    if not form:
        raise DeliveryError(_NOTHING_TO_SEND)
    if "ContentVariables" in named:
        variables = _value(named, "ContentVariables")
        spelled = json_text.unshield(json_text.compact(bytes(named["ContentVariables"]))).decode()
        form.append(("ContentVariables", variables if isinstance(variables, str) else spelled))
    return form


def _value(named: dict[str, msgspec.Raw], name: str) -> Any:
    """Return a field's value, half characters in it as they came: a form cannot carry them."""
    return json.loads(json_text.unshield(bytes(named[name]))) if name in named else None


def _media(value: Any) -> list[str]:
    """Return the addresses of files."""
    if value is None:
        return []
    addresses = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and _is_address(each) for each in addresses):
        raise DeliveryError("Provided MediaUrl not a url")
    return addresses


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)
