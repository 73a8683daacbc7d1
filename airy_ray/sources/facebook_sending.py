"""Messages to Messenger and Instagram, and who these are with (sources §1.4 f, §2)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import msgspec

from airy_ray.model import json_text
from airy_ray.sources import attached, facebook_profiles, meta, sending
from airy_ray.sources.attached import Limit, OurFile, Place
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

_WINDOW_MS = 24 * 3_600_000
_HUMAN_WINDOW_MS = 7 * 24 * 3_600_000
_MEDIA_PER_S = 10.0
PASSING = frozenset({2, 4, 17, 32, 613, 1200, 80006})
"""Codes of errors that may pass."""
PASSING_SUBCODES = frozenset({(1, 2018344)})
_FILE = Place(("attachment", "payload"), ("url",))
_PICTURES = (
    Place(("attachment", "payload", "elements"), ("image_url",)),
    Place(("quick_replies",), ("image_url",)),
)
"""Meta fetches these, whoever keeps them."""
_LIMITS = {
    "image": Limit(25 << 20, ("image/*",)),
    "audio": Limit(25 << 20, ("audio/*",)),
    "video": Limit(25 << 20, ("video/*",)),
    "file": Limit(25 << 20),
}
_RESPONSE = b'"messaging_type":"RESPONSE"}'
_BY_HUMAN = b'"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT"}'


class FacebookSending(ChannelToken, msgspec.Struct, frozen=True, tag="facebook"):
    """The Send API of Messenger.

    Attributes:
        has_human_agent_tag: whether Meta lets our app answer for seven days, if people write.
        per_s: how many messages a channel may send each second.
    """

    api_url: str
    version: str
    has_human_agent_tag: bool
    per_s: float

    _limits = _LIMITS
    _upload_fields: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def pace(self, content: bytes) -> Pace:
        """Return the limit of text, or the lower one of sound and film."""
        is_heavy = _attachment_type(content) in ("audio", "video")
        return Pace(_MEDIA_PER_S, "media") if is_heavy else Pace(self.per_s)

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of an attachment, and of pictures in templates and replies."""
        return attached.links(content, (_FILE, *_PICTURES))

    def uploads(self, message: Outbound) -> dict[str, Call]:
        """Return the call that gives Meta the attachment; pictures it fetches itself."""
        kind = _attachment_type(message.content)
        is_taken = kind in self._limits
        given = set(attached.links(message.content, [_FILE])) if is_taken else set()
        attached.check_reachable({u: f for u, f in message.files.items() if u not in given})
        made = {}
        for url in given & message.files.keys():
            file = message.files[url]
            if not file.known_as:
                self._limits[kind].check(file, kind)
                made[url] = self._upload(message, kind, file)
        return made

    def uploaded(self, reply: Reply) -> str | Refused | Later:
        """Return the id that an attachment has."""
        return meta.uploaded(reply, "attachment_id", PASSING, PASSING_SUBCODES)

    def calls(self, message: Outbound) -> list[Call]:
        """Return the one call; over-long content is for Meta to refuse."""
        content = _with_known(message)
        recipient = json_text.quote(message.recipient)
        kind = _BY_HUMAN if self._needs_tag(message) else _RESPONSE
        return [
            Call(
                "POST",
                f"{self._graph_url}/me/messages",
                {
                    "authorization": f"Bearer {message.token}",
                    "content-type": "application/json",
                },
                b'{"recipient":{"id":%b},"message":%b,%b' % (recipient, content, kind),
            )
        ]

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Meta's answer means."""
        if reply.status == 200:
            known_as = reply.told().get("message_id")
            return Taken(known_as if isinstance(known_as, str) and known_as else None)
        return meta.not_taken(reply, PASSING, PASSING_SUBCODES)

    def profile_calls(self, contact: str, token: str) -> list[Call]:
        """Return the call for the person's own node, and one for those who take part."""
        return [
            facebook_profiles.person_call(self._graph_url, contact, token),
            facebook_profiles.participants_call(self._graph_url, contact, token),
        ]

    def profile(self, contact: str, reply: Reply) -> Profile | Refused | Later:
        """Return what Meta tells of a person."""
        if reply.status == 200:
            return facebook_profiles.messenger_profile(contact, reply)
        return meta.not_taken(reply, PASSING, PASSING_SUBCODES)

    @property
    def _graph_url(self) -> str:
        return f"{self.api_url.rstrip('/')}/{self.version}"

    def _upload(self, message: Outbound, kind: str, file: OurFile) -> Call:
        told = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        fields = {**self._upload_fields, "message": json_text.encode(told).decode()}
        return sending.with_files(
            f"{self._graph_url}/me/message_attachments",
            Form(fields, {"filedata": file}),
            {"authorization": f"Bearer {message.token}"},
        )

    def _needs_tag(self, message: Outbound) -> bool:
        """Whether the window for answers is over and that for people's is not.

        Where both are, it is sent as an answer: our clock may be wrong, Meta decides.
        """
        if not self.has_human_agent_tag or not message.is_by_person or message.heard_at is None:
            return False
        return _WINDOW_MS < message.at - message.heard_at <= _HUMAN_WINDOW_MS


class InstagramSending(FacebookSending, frozen=True, tag="instagram"):
    """The Send API of Instagram: the same, with other limits and other profiles."""

    _limits = _LIMITS | {"image": Limit(8 << 20, ("image/*",))}
    _upload_fields = MappingProxyType({"platform": "instagram"})

    def profile_calls(self, contact: str, token: str) -> list[Call]:
        """Return the one call there is."""
        return [facebook_profiles.instagram_call(self._graph_url, contact, token)]

    def profile(self, contact: str, reply: Reply) -> Profile | Refused | Later:
        """Return what Meta tells of a person."""
        if reply.status == 200:
            return facebook_profiles.instagram_profile(reply)
        return meta.not_taken(reply, PASSING, PASSING_SUBCODES)


class _Attachment(msgspec.Struct):
    type: str = ""


class _Content(msgspec.Struct):
    attachment: _Attachment | None = None


def _with_known(message: Outbound) -> bytes:
    """Return content with the id of an attachment that Meta has been given."""
    if not message.files:
        return message.content
    text = attached.with_known(
        json_text.shield(message.content),
        Place(_FILE.path, (*_FILE.names, "is_reusable")),  # what both say goes
        message.files,
        lambda known_as: {"attachment_id": json_text.quote(known_as)},
    )
    return json_text.unshield(text)


def _attachment_type(content: bytes) -> str:
    try:
        attachment = json_text.decode_with(_content_decoder, content).attachment
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if attachment is None else attachment.type


_content_decoder = msgspec.json.Decoder(_Content)
