"""What a bot says, in the form of the source that it goes to (sources §12)."""

from collections.abc import Callable
from typing import Any

from airy_ray.bots.bot import Choice, Said
from airy_ray.sources import sending

_CHATPLUGIN = "chatplugin"

_QUICK_REPLIES_MAX = 13
_META_TITLE_MAX = 20
_GOOGLE_TITLE_MAX = 25
_TELEGRAM_DATA_BYTES_MAX = 64
_BOT = {"representativeType": "BOT"}

Content = dict[str, Any]


def contents(source: str, said: Said) -> list[bytes]:
    """Return the messages that something becomes, in order: its text, then its picture."""
    if source == _CHATPLUGIN and said.data:
        return [sending.body_of({"text": said.text, "message": said.data})]
    form = _FORMS.get(source, _custom)
    found = []
    if said.text:
        found.append(sending.body_of(form(said.text, None, said.choices)))
    if said.image:
        found.append(sending.body_of(form("", said.image, ())))
    return found


def _meta(text: str, image: str | None, choices: tuple[Choice, ...]) -> Content:
    """Return the form of Meta's products, which chat on websites and custom sources share."""
    if image is not None:
        return {"attachment": {"type": "image", "payload": {"url": image}}}
    replies = [
        {"content_type": "text", "title": each.title[:_META_TITLE_MAX], "payload": each.payload}
        for each in choices[:_QUICK_REPLIES_MAX]
    ]
    return {"text": text} | ({"quick_replies": replies} if replies else {})


def _custom(text: str, image: str | None, _: tuple[Choice, ...]) -> Content:
    return _meta(text, image, ())


def _google(text: str, image: str | None, choices: tuple[Choice, ...]) -> Content:
    if image is not None:
        shown = {"fileUrl": image, "altText": "", "forceRefresh": False}
        return {"representative": _BOT, "image": {"contentInfo": shown}, "fallback": image}
    suggestions = [
        {"reply": {"text": each.title[:_GOOGLE_TITLE_MAX], "postbackData": each.payload}}
        for each in choices[:_QUICK_REPLIES_MAX]
    ]
    content: Content = {"representative": _BOT, "text": text}
    return content | ({"suggestions": suggestions} if suggestions else {})


def _viber(text: str, image: str | None, choices: tuple[Choice, ...]) -> Content:
    if image is not None:
        return {"type": "picture", "text": "", "media": image}
    buttons = [
        {"ActionType": "reply", "ActionBody": each.payload, "Text": each.title} for each in choices
    ]
    keyboard = {"keyboard": {"Type": "keyboard", "Buttons": buttons}} if buttons else {}
    return {"type": "text", "text": text} | keyboard


def _twilio(text: str, image: str | None, _: tuple[Choice, ...]) -> Content:
    return {"Body": text} if image is None else {"MediaUrl": image}


def _whatsapp(text: str, image: str | None, _: tuple[Choice, ...]) -> Content:
    if image is not None:
        return {"type": "image", "image": {"link": image}}
    return {"type": "text", "text": {"body": text}}


def _telegram(text: str, image: str | None, choices: tuple[Choice, ...]) -> Content:
    if image is not None:
        return {"photo": image}
    rows = [[{"text": each.title, "callback_data": _pressed(each)}] for each in choices]
    return {"text": text} | ({"reply_markup": {"inline_keyboard": rows}} if rows else {})


def _pressed(choice: Choice) -> str:
    """Return what a button tells when it is pressed: Telegram takes little of it."""
    if len(choice.payload.encode()) <= _TELEGRAM_DATA_BYTES_MAX:
        return choice.payload
    return choice.title.encode()[:_TELEGRAM_DATA_BYTES_MAX].decode(errors="ignore")


_FORMS: dict[str, Callable[[str, str | None, tuple[Choice, ...]], Content]] = {
    "facebook": _meta,
    "instagram": _meta,
    _CHATPLUGIN: _meta,
    "google": _google,
    "viber": _viber,
    "twilio.sms": _twilio,
    "twilio.whatsapp": _twilio,
    "whatsapp": _whatsapp,
    "telegram": _telegram,
}
