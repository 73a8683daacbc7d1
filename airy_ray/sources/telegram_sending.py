"""Messages from Telegram bots, and who these are with (sources §7.3). https://core.telegram.org/bots/api#available-methods."""

import re
from typing import Any
from urllib.parse import quote

import msgspec

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources import attached, profiles, sending, telegram
from airy_ray.sources.attached import Files, Limit, OurFile, Place
from airy_ray.sources.files import Link
from airy_ray.sources.json_parts import string, with_objects
from airy_ray.sources.profiles import Profile
from airy_ray.sources.sending import (
    Call,
    ChannelToken,
    Form,
    Later,
    Outbound,
    Pace,
    Refused,
    Reply,
    Taken,
    Verdict,
)
from airy_ray.sources.source import text_id
from airy_ray.sources.told import object_in, objects_in, text_in

_METHODS = (
    ("text", "sendMessage"),
    ("photo", "sendPhoto"),
    ("video", "sendVideo"),
    ("animation", "sendAnimation"),
    ("audio", "sendAudio"),
    ("voice", "sendVoice"),
    ("document", "sendDocument"),
    ("sticker", "sendSticker"),
    ("address", "sendVenue"),
    ("latitude", "sendLocation"),
    ("phone_number", "sendContact"),
    ("media", "sendMediaGroup"),
    ("question", "sendPoll"),
)
"""The method for content that names none, by the first of these fields that it has."""

_FILE_FIELDS = (
    *("photo", "video", "animation", "audio", "voice", "document", "sticker", "video_note"),
    "thumbnail",
)
_GROUP = "media"
_PLACES = (Place((), _FILE_FIELDS), Place((_GROUP,), (_GROUP, "thumbnail")))
_PHOTO, _OTHER = Limit(10 << 20), Limit(50 << 20)
_PARAMETER = re.compile(r"[a-z_]+")
"""What Telegram calls the fields that it knows; it passes over others."""
_SENDS = re.compile(r"send[A-Za-z]+|copyMessage|forwardMessage")
_TOO_MANY, _UNAUTHORIZED = 429, 401
_PER_S = 30.0
_TEXT_UNITS_MAX = 4_096
"""How long a text may be, in code units of UTF-16."""
_PARTS_MAX = 10
"""Of more parts than this a text is for Telegram to refuse."""
_MARKUP = ("entities", "parse_mode")
"""With one of these a text cannot be cut without reading it."""


class TelegramSending(ChannelToken, msgspec.Struct, frozen=True, tag="telegram"):
    """The Bot API. Only who has begun with a bot can be written to, which Telegram knows."""

    api_url: str

    opens_conversations = True

    def pace(self, content: bytes) -> Pace:
        """Return the limit of a bot; that of each chat Telegram tells when it is met.

        It tells both alike.
        """
        return Pace(_PER_S)

    def calls(self, message: Outbound) -> list[Call]:
        """Return one call, or one for each part of a text that is too long.

        Files of ours go along with it.
        """
        named: dict[str, Any] = dict(sending.fields(message.content))
        method = _method(named)
        named.pop("method", None)
        named["chat_id"] = message.recipient
        url = method_url(self.api_url, message.token, method)
        if message.files:
            return [sending.with_files(url, _form(named, message.files))]
        headers = {"content-type": "application/json"}
        parts = _parts(named) if method == "sendMessage" else [named]
        return [Call("POST", url, headers, sending.body_of(part)) for part in parts]

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of what is shown, alone or in a group."""
        return attached.links(content, _PLACES)

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Telegram's answer means."""
        told = reply.told()
        if 200 <= reply.status < 300 and told.get("ok") is True:
            return Taken(_known_as(told.get("result"), message.recipient))
        return _not_taken(reply, told)

    def profile_calls(self, contact: str, token: str) -> list[Call]:
        """Return the call for what a chat is called."""
        url = method_url(self.api_url, token, "getChat")
        body = json_text.encode({"chat_id": contact})
        return [Call("POST", url, {"content-type": "application/json"}, body, profiles.WAIT_S)]

    def profile(self, contact: str, reply: Reply) -> Profile | Refused | Later:
        """Return what Telegram tells of a person or a group; both are a chat."""
        told = reply.told()
        chat = told.get("result")
        if not 200 <= reply.status < 300 or told.get("ok") is not True:
            return _not_taken(reply, told)
        return profiles.known(telegram.contact(chat, chat) if isinstance(chat, dict) else {})

    def picture_call(self, contact: str, token: str) -> Call | None:
        """Return the call for the newest picture of a person; a group has a negative number."""
        if not contact.isdecimal():
            return None
        url = method_url(self.api_url, token, "getUserProfilePhotos")
        body = b'{"user_id":%b,"limit":1}' % contact.encode()
        return Call("POST", url, {"content-type": "application/json"}, body, profiles.WAIT_S)

    def picture(self, reply: Reply) -> Link | Refused | Later:
        """Return the largest size of the newest picture."""
        told = reply.told()
        if not 200 <= reply.status < 300 or told.get("ok") is not True:
            return _not_taken(reply, told)
        photos = object_in(told, "result").get("photos")
        newest = photos[0] if isinstance(photos, list) and photos else None
        sizes = objects_in({"sizes": newest}, "sizes")
        name = text_in(sizes[-1], "file_id") if sizes else ""
        return Link(name, None) if name else Refused("there is no picture")


def method_url(api_url: str, token: str, method: str) -> str:
    """Return where a method of a bot is called; the address is as secret as the token in it."""
    return f"{api_url.rstrip('/')}/bot{quote(token, safe=':')}/{method}"


def answer_to_press(api_url: str, token: str, press: str) -> Call:
    """Return the call that ends the waiting of who has pressed a button."""
    body = json_text.encode({"callback_query_id": press})
    url = method_url(api_url, token, "answerCallbackQuery")
    return Call("POST", url, {"content-type": "application/json"}, body)


def _method(named: dict[str, Any]) -> str:
    asked = named.get("method")
    if asked is None:
        found = next((method for field, method in _METHODS if field in named), None)
        if found is None:
            raise DeliveryError("Malformed message")
        return found
    method = json_text.decode(bytes(asked))
    if not isinstance(method, str) or not _SENDS.fullmatch(method):
        raise DeliveryError("Malformed message: its method is none that sends")
    return method


def _form(named: dict[str, Any], files: Files) -> Form:
    """Return what is sent as a form, with the files of ours that it links to.

    https://core.telegram.org/bots/api#sending-files
    """
    fields: dict[str, str] = {}
    given: dict[str, OurFile] = {}
    for name, value in named.items():
        text = json_text.quote(value) if isinstance(value, str) else bytes(value)
        file = files.get(string(text) or "") if name in _FILE_FIELDS else None
        if file is not None:
            _limit(name).check(file, name)
            given[name] = file
        elif text != b"null" and _PARAMETER.fullmatch(name):
            fields[name] = _field(_group(text, files, given) if name == _GROUP else text)
    size = sum(file.size for file in given.values())
    if size > _OTHER.bytes_max:
        raise attached.too_large("message", size, _OTHER.bytes_max)
    return Form(fields, given)


def _group(text: bytes, files: Files, given: dict[str, OurFile]) -> bytes:
    """Return a group of files that names ours as they are called in the form, and add these."""

    def change(named: dict[str, bytes]) -> dict[str, bytes]:
        for member in _PLACES[1].names:
            file = files.get(string(named.get(member)) or "")
            if file is not None:
                kind = string(named.get("type")) or member
                _limit(kind).check(file, kind)
                called = f"file{len(given)}"
                given[called] = file
                named = named | {member: json_text.quote(f"attach://{called}")}
        return named

    return with_objects(text, (), change)


def _limit(kind: str) -> Limit:
    return _PHOTO if kind == "photo" else _OTHER


def _field(value: bytes) -> str:
    """Return a value as a field of a form: texts as they are, all else as JSON."""
    text = string(value)
    spelled = json_text.unshield(value).decode() if text is None else text
    return spelled.encode(errors="replace").decode()  # half characters cannot be in a form


def _parts(named: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a message in parts of the length that is allowed, if it is plain text.

    What it answers is said by the first, buttons are below the last.
    """
    text = string(bytes(named.get("text", b"")))
    if text is None or any(each in named for each in _MARKUP):
        return [named]
    texts = sending.parted(text, _head)
    if not 1 < len(texts) <= _PARTS_MAX:
        return [named]
    parts = [named | {"text": msgspec.Raw(json_text.quote(each))} for each in texts]
    for part in parts[:-1]:
        part.pop("reply_markup", None)
    for part in parts[1:]:
        part.pop("reply_parameters", None)
    return parts


def _head(text: str) -> str:
    """Return as much of the beginning of a text as one message takes."""
    units = text[:_TEXT_UNITS_MAX].encode("utf-16-le", "surrogatepass")
    head = units[: 2 * _TEXT_UNITS_MAX].decode("utf-16-le", "surrogatepass")
    return head if text.startswith(head) else head[:-1]  # not half of a character


def _known_as(result: object, chat: str) -> str | None:
    """Return what we call a message that Telegram took; of several, the first."""
    told = result[0] if isinstance(result, list) and result else result
    if not isinstance(told, dict):
        return None
    place, number = told.get("chat"), text_id(told.get("message_id"))
    where = text_id(place.get("id")) if isinstance(place, dict) else None
    return None if number is None else f"{where or chat}:{number}"


def _not_taken(reply: Reply, told: dict[str, object]) -> Refused | Later:
    reason, code, parameters = (
        told.get(key) for key in ("description", "error_code", "parameters")
    )
    may_pass = isinstance(code, int) and (code == _TOO_MANY or code >= 500)
    verdict = sending.not_taken(
        reply, reason if isinstance(reason, str) and reason else None, may_pass=may_pass
    )
    if isinstance(verdict, Refused):
        return msgspec.structs.replace(verdict, is_of_token=code == _UNAUTHORIZED)
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(asked, int):
        wait_s = sending.bounded_wait_s(asked)  # of chats far more often than of the bot
        return msgspec.structs.replace(verdict, after_s=wait_s, is_of_conversation=True)
    return verdict
