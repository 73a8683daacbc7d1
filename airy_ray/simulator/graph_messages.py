"""What Meta's Graph API looks for in messages, and how it refuses them (sources §1.5, §2, §3.5)."""

from functools import partial
from typing import Any

from airy_ray.simulator.intake import Trouble

_TEXT_MAX = 2_000
_INSTAGRAM_BYTES_MAX = 1_000
_QUICK_REPLIES_MAX = 13
_ATTACHMENTS = frozenset({"image", "video", "audio", "file", "template"})
_WHATSAPP_MAX = {"body": 4_096, "caption": 1_024}
_WHATSAPP_KINDS = frozenset(
    {
        *("text", "image", "audio", "video", "document", "sticker", "location", "contacts"),
        *("interactive", "template", "reaction"),
    }
)


class GraphError(Exception):
    """What Meta answers to a call that it refuses."""

    def __init__(
        self,
        code: int,
        text: str,
        kind: str = "OAuthException",
        subcode: int | None = None,
        *,
        status: int = 400,
        after_s: int | None = None,
    ) -> None:
        super().__init__(code, text, kind, subcode)
        self.code = code
        self.text = text
        self.kind = kind
        self.subcode = subcode
        self.status = status
        self.after_s = after_s


def invalid_token() -> GraphError:
    """Return the refusal of a token that is none."""
    return GraphError(190, "Invalid OAuth access token.")


_EXPIRED = "Error validating access token: Session has expired."
PAGE_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: partial(
        GraphError, 10, "(#10) This message is sent outside of allowed window."
    ),
    Trouble.RATE_LIMITED: partial(
        GraphError, 613, "(#613) Calls to this api have exceeded the rate limit."
    ),
    Trouble.DOWN: partial(GraphError, 2, "An unexpected error has occurred.", status=503),
    Trouble.TOKEN_EXPIRED: partial(GraphError, 190, _EXPIRED, status=401),
}
NUMBER_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: partial(GraphError, 131047, "(#131047) Re-engagement message"),
    Trouble.RATE_LIMITED: partial(GraphError, 130429, "(#130429) Rate limit hit"),
    Trouble.DOWN: partial(GraphError, 131016, "(#131016) Service unavailable", status=503),
    Trouble.TOKEN_EXPIRED: partial(GraphError, 190, _EXPIRED, status=401),
}


def of_page(body: Any) -> tuple[str, dict[str, Any]]:
    """Return for whom a page's message is, and the message."""
    told = body if isinstance(body, dict) else {}
    recipient = told.get("recipient")
    to = recipient.get("id") if isinstance(recipient, dict) else None
    if not isinstance(to, str) or not to:
        raise GraphError(100, "(#100) The parameter recipient is required.")
    message = told.get("message")
    if not isinstance(message, dict) or not message:
        raise GraphError(100, "(#100) Param message must be a non-empty object.")
    if (told.get("messaging_type"), told.get("tag")) not in (
        (None, None),  # tolerated, though it is called required
        ("RESPONSE", None),
        ("UPDATE", None),
        ("MESSAGE_TAG", "HUMAN_AGENT"),
    ):
        raise GraphError(100, "(#100) Param messaging_type must be one of its kinds.")
    return to, message


def check(message: dict[str, Any], *, is_on_instagram: bool) -> None:
    """Raise what is wrong with a page's message, if anything is."""
    attachment = message.get("attachment")
    kind = attachment.get("type") if isinstance(attachment, dict) else None
    if "text" not in message and kind is None:
        raise GraphError(100, "(#100) Must have either text or attachment.")
    if kind is not None and kind not in _ATTACHMENTS:
        raise GraphError(100, "(#100) Param message[attachment][type] must be one of its kinds.")
    if len(message.get("quick_replies", [])) > _QUICK_REPLIES_MAX:
        raise GraphError(100, "(#100) Too many quick replies.")
    text = str(message.get("text", ""))
    if is_on_instagram and len(text.encode()) > _INSTAGRAM_BYTES_MAX:
        problem = "Length of param message[text] must be less than or equal to 1000 bytes"
        raise GraphError(100, f"(#100) {problem}")
    if len(text) > _TEXT_MAX:
        problem = "Length of param message[text] must be less than or equal to 2000"
        raise GraphError(100, f"(#100) {problem}")


def of_number(body: Any) -> dict[str, Any]:
    """Return what a phone number tells WhatsApp."""
    told = body if isinstance(body, dict) else {}
    if told.get("messaging_product") != "whatsapp":
        raise GraphError(100, "(#100) The parameter messaging_product is required.")
    return told


def recipient_of(told: dict[str, Any]) -> str:
    """Return for whom a message on WhatsApp is."""
    to = told.get("to") or told.get("recipient")
    if not isinstance(to, str):
        raise GraphError(100, "(#100) The parameter to is required.")
    return to


def check_whatsapp(told: dict[str, Any]) -> None:
    """Raise what is wrong with a message on WhatsApp, if anything is."""
    kind = told.get("type", "text")
    if kind not in _WHATSAPP_KINDS:
        raise GraphError(100, "(#100) Param type must be one of its kinds.")
    content = told.get(kind)
    if not isinstance(content, dict | list) or not content:
        raise GraphError(100, f"(#100) The parameter {kind} is required.")
    if not isinstance(content, dict):
        return
    for name, most in _WHATSAPP_MAX.items():
        if len(str(content.get(name, ""))) > most:
            problem = f"Param {kind}['{name}'] must be at most {most} characters long."
            raise GraphError(100, f"(#100) {problem}")
    language = content.get("language")
    if kind == "template" and not (content.get("name") and isinstance(language, dict)):
        raise GraphError(132000, "(#132000) The template needs a name and a language.")
