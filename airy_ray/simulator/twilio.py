"""Twilio's webhooks for SMS and WhatsApp (contract: sources §4): forms, one message in each."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterable
from hashlib import blake2b
from urllib.parse import parse_qsl, urlencode

from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Thread, Written

SMS, WHATSAPP = "twilio.sms", "twilio.whatsapp"
PATH = "/webhooks/twilio"
FORM = "application/x-www-form-urlencoded"
_ACCOUNT_SID = f"AC{'a' * 32}"
_TEXTS = ("On my way", "Ça marche 👌", "a=b & c+d", "STOP that music")


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return "SM" + blake2b(f"{run} {number}".encode(), digest_size=16).hexdigest()


def item(moment: Moment) -> Item:
    """Return something that happened between a person and a number."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return the body that the one item is."""
    (only,) = items
    return only.text


def signature(auth_token: str, url: str, told: bytes) -> tuple[str, str]:
    """Return the header that signs a form for the URL that it is posted to."""
    fields = sorted(parse_qsl(told.decode(), keep_blank_values=True))
    signed = url + "".join(name + value for name, value in fields)
    digest = hmac.digest(auth_token.encode(), signed.encode(), "sha1")
    return "x-twilio-signature", b64encode(digest).decode()


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    return _message(moment, Body=words, NumMedia="0")


def pictured(moment: Moment, url: str) -> Item:
    """Return a message that is a picture."""
    return _message(
        moment, Body="look", NumMedia="1", MediaContentType0="image/jpeg", MediaUrl0=url
    )


def located(moment: Moment, latitude: float, longitude: float) -> Item:
    """Return a message that is a place, which WhatsApp alone has."""
    place = {"Latitude": str(latitude), "Longitude": str(longitude), "Label": "Here"}
    return _message(moment, Body="", NumMedia="0", MessageType="location", **place)


def arrived(moment: Moment, target: str) -> Item:
    """Return that a message of ours got there."""
    return _got(moment, target, "delivered")


def seen(moment: Moment, target: str) -> Item:
    """Return that a message of ours was seen, which WhatsApp alone tells."""
    return _got(moment, target, "read")


def _text(moment: Moment) -> Item:
    return said(moment, f"{moment.random.choice(_TEXTS)} {moment.key[-8:]}")


def _media(moment: Moment) -> Item:
    url = f"https://api.twilio.com/2010-04-01/Accounts/{_ACCOUNT_SID}/Media/{moment.key}"
    return pictured(moment, url)


def _callback(moment: Moment) -> Item:
    """Return how far a message of ours is that nobody here has sent."""
    status = moment.random.choice(("sent", "delivered"))
    return _got(moment, f"SM{moment.random.randrange(9):032}", status)


def _got(moment: Moment, target: str, status: str) -> Item:
    form = {
        "MessageSid": target,
        "MessageStatus": status,
        "From": moment.thread.channel,
        "To": moment.thread.contact,
    }
    return Item(moment.thread, moment.at, urlencode(form).encode())


def _message(moment: Moment, **told: str) -> Item:
    sids = dict.fromkeys(("MessageSid", "SmsMessageSid", "SmsSid"), moment.key)
    form = {
        "ToCountry": "US",
        "FromCity": "",
        "SmsStatus": "received",
        "AccountSid": _ACCOUNT_SID,
        "To": moment.thread.channel,
        "From": moment.thread.contact,
        "ApiVersion": "2010-04-01",
        **sids,
        **told,
    }
    if moment.thread.source == WHATSAPP:
        form["ProfileName"] = moment.name or f"Ada {moment.thread.contact[-4:]}"
    text = urlencode(form).encode()
    content = json.dumps(text.decode()).encode()
    written = Written(moment.thread, moment.key, None, True, content)
    return Item(moment.thread, moment.at, text, written)


_CHANCES: Chances = {_text: 82, _media: 10, _callback: 8}
