"""Files that a contact's message has at its platform, and how they are asked for. Pure.

Platforms forget them: after minutes, a day or some weeks (sources §10). Most tell where a file is;
WhatsApp and Telegram tell an id, with which that has to be asked for first.
"""

import re
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

import msgspec

from airy_ray.model import json_text
from airy_ray.sources.sending import Call, Reply
from airy_ray.sources.told import object_in, objects_in, text_in

FILES_MAX = 20
"""How many files of one message are kept at most."""

_WHATSAPP_KINDS = ("image", "video", "audio", "voice", "document", "sticker")
_TELEGRAM_KINDS = ("document", "video", "audio", "voice", "animation", "sticker", "video_note")
_META_KINDS = (
    "image",
    "video",
    "audio",
    "file",
    "share",
    "story_mention",
    "reel",
    "ig_reel",
    "ig_post",
)
"""Of Messenger and Instagram; what they call `fallback` or `template` is a page, if anything."""
_TWILIO_URL = re.compile(r"MediaUrl\d{1,2}")
_IMAGE_URL = re.compile(r"https://storage\.googleapis\.com/[^\s\"]+")


class Link(msgspec.Struct, frozen=True):
    """One file that a content tells of.

    Attributes:
        spelled: how the content names it: an address as it is written there, or an id.
        url: where it is; None for an id, with which that is asked for.
        name: what it is called, for its extension.
    """

    spelled: str
    url: str | None
    name: str = ""


class Access(msgspec.Struct, frozen=True):
    """How a platform's files are got, beyond what a content says.

    Attributes:
        api_url: where the platform is asked; with a version for WhatsApp.
        authorization: a header for files at that very host.
        asks: how ids become addresses.
    """

    api_url: str = ""
    authorization: str = ""
    asks: Literal["whatsapp", "telegram"] | None = None

    def call(self, link: Link, token: str) -> Call:
        """Return the call that tells where a file is of which only the id is known."""
        base = self.api_url.rstrip("/")
        name = quote(link.spelled, safe="")
        if self.asks == "telegram":
            return Call("GET", f"{base}/bot{token}/getFile?file_id={name}", {}, b"")
        return Call("GET", f"{base}/{name}", {"authorization": f"Bearer {token}"}, b"")

    def found(self, reply: Reply, token: str) -> tuple[str, dict[str, str]] | None:
        """Return what that call told: an address, and the headers it takes; None if nothing."""
        told = reply.told()
        if self.asks == "telegram":
            path = text_in(object_in(told, "result"), "file_path")
            if not path:
                return None
            return f"{self.api_url.rstrip('/')}/file/bot{token}/{quote(path)}", {}
        url = text_in(told, "url")
        return (url, {"authorization": f"Bearer {token}"}) if url else None

    def headers(self, url: str) -> dict[str, str]:
        """Return what an address that a content told takes: credentials for the platform only."""
        asked, api = urlsplit(url), urlsplit(self.api_url)
        is_platform = (asked.scheme, asked.netloc) == (api.scheme, api.netloc)
        return {"authorization": self.authorization} if self.authorization and is_platform else {}


def links(source: str, content: bytes) -> list[Link]:
    """Return the files that a contact's message has at its platform, each once."""
    read = _READ.get(source)
    if read is None:
        return []
    try:
        told = json_text.decode(content)
    except (ValueError, RecursionError):
        return []
    found = {link.spelled: link for link in read(told) if link.spelled}
    return list(found.values())[:FILES_MAX]


def _meta(told: Any) -> list[Link]:
    message = object_in(told, "message") or told
    alone = object_in(message, "attachments")  # Instagram has one so at times
    files = [alone] if alone else objects_in(message, "attachments")
    payloads = [object_in(each, "payload") for each in files if each.get("type") in _META_KINDS]
    story = object_in(object_in(message, "reply_to"), "story")
    return [link for each in [*payloads, story] for link in _at(each.get("url"))]


def _google(told: Any) -> list[Link]:
    text = text_in(object_in(told, "message"), "text")
    if _IMAGE_URL.fullmatch(text):
        return _at(text)
    sent = object_in(told, "userFile")  # of RCS
    files = [object_in(sent, part) for part in ("payload", "thumbnail")]
    return [link for each in files for link in _at(each.get("fileUri"), each.get("fileName"))]


def _viber(told: Any) -> list[Link]:
    message = object_in(told, "message")
    kinds = ("picture", "video", "file")
    if message.get("type") not in kinds:
        return []
    return _at(message.get("media"), message.get("file_name")) + _at(message.get("thumbnail"))


def _twilio(told: Any) -> list[Link]:
    """Return what a form tells of, each address as it is spelled there."""
    if not isinstance(told, str):
        return []
    found = []
    for field in told.split("&"):
        name, _, spelled = field.partition("=")
        if _TWILIO_URL.fullmatch(name) and spelled.startswith("http"):
            at = _at(unquote_plus(spelled))
            found += [Link(spelled, each.url, _twilio_name(told, name)) for each in at]
    return found


def _twilio_name(form: str, field: str) -> str:
    kind = dict(parse_qsl(form)).get(field.replace("MediaUrl", "MediaContentType"), "")
    return _named(kind)


def _whatsapp(told: Any) -> list[Link]:
    files = [object_in(told, kind) for kind in _WHATSAPP_KINDS]
    return [
        Link(name, None, text_in(each, "filename") or _named(text_in(each, "mime_type")))
        for each in files
        if (name := text_in(each, "id"))
    ]


def _telegram(told: Any) -> list[Link]:
    message = object_in(told, "message") or object_in(told, "edited_message")
    files = [object_in(message, kind) for kind in _TELEGRAM_KINDS]
    files += objects_in(message, "photo")[-1:]  # the largest one is the last
    return [
        Link(name, None, text_in(each, "file_name"))
        for each in files
        if (name := text_in(each, "file_id"))
    ]


def _at(url: Any, name: Any = None) -> list[Link]:
    if not isinstance(url, str) or not _is_url(url):
        return []
    path = urlsplit(url).path
    return [Link(url, url, name if isinstance(name, str) else path.rpartition("/")[2])]


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.startswith(("http://", "https://")) and bool(parts.hostname)


def _named(kind: str) -> str:
    """Return a name with the extension that a media type such as `image/jpeg` stands for."""
    found = re.fullmatch(r"[a-z]+/([a-z0-9]{2,5})", kind.partition(";")[0].strip().lower())
    return f"file.{found[1]}" if found else ""


_READ = {
    "facebook": _meta,
    "instagram": _meta,
    "google": _google,
    "viber": _viber,
    "twilio.sms": _twilio,
    "twilio.whatsapp": _twilio,
    "whatsapp": _whatsapp,
    "telegram": _telegram,
}
