"""Messages from a Viber bot, and who these are with (sources §6.3).

Refusals come with HTTP 200 and a status in it.
"""

from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources import attached, profiles, sending, viber
from airy_ray.sources.attached import Limit, Place
from airy_ray.sources.json_parts import string
from airy_ray.sources.profiles import Profile
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
from airy_ray.sources.source import text_id

_TOO_MANY_REQUESTS = 12
_KNOWN_MAX = 24
"""The last status that means something in particular; a higher one may pass."""
_NAME_LENGTH_MAX = 28
_SENDER_LASTS_S = 3_600.0
_PER_S = 50.0
_PLACES = (Place((), ("media", "thumbnail")),)
_LIMITS = {
    "picture": Limit(1 << 20, ("image/jpeg",)),
    "video": Limit(26 << 20, ("video/*",)),
    "file": Limit(50 << 20),
}
_WAIT_S = 30.0


class ViberSending(msgspec.Struct, frozen=True, tag="viber"):
    """The REST API of a bot.

    Every message says from whom it is. What Viber calls the bot is asked for once an hour, in place
    of an authorization: the sender is what comes of it.
    """

    api_url: str
    auth_token: str | None

    is_deduplicating = False
    opens_conversations = False
    needs_token = False
    expires = True

    def pace(self, content: bytes) -> Pace:
        """Return one limit for all."""
        return Pace(_PER_S)

    def authorization(self, channel: str, at: Millis) -> Call | None:
        """Return the call that asks who the bot is."""
        return self._call("get_account_info", b"{}")

    def authorized(self, reply: Reply) -> Authorized | Refused | Later:
        """Return the sender of messages, as JSON, or why there is none."""
        told = reply.told()
        name, icon = told.get("name"), told.get("icon")
        if not _is_taken(reply) or not isinstance(name, str):
            return _not_taken(reply)
        sender = {"name": name[:_NAME_LENGTH_MAX]}
        if isinstance(icon, str) and icon:
            sender["avatar"] = icon
        return Authorized(json_text.encode(sender).decode(), _SENDER_LASTS_S)

    def calls(self, message: Outbound) -> list[Call]:
        """Return the one call; over-long content is for Viber to refuse."""
        named: dict[str, Any] = dict(sending.fields(message.content))
        _add_file(message, named)
        named["sender"] = msgspec.Raw(message.token.encode())
        named["receiver"] = message.recipient
        return [self._call("send_message", sending.body_of(named))]

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of what is shown, which Viber fetches itself."""
        return attached.links(content, _PLACES)

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Viber's answer means."""
        if _is_taken(reply):
            return Taken(text_id(reply.told().get("message_token")))
        return _not_taken(reply)

    def profile_calls(self, contact: str, token: str) -> list[Call]:
        """Return the call for a contact's details, of which Viber allows two in twelve hours."""
        return [self._call("get_user_details", json_text.encode({"id": contact}), profiles.WAIT_S)]

    def profile(self, contact: str, reply: Reply) -> Profile | Refused | Later:
        """Return what Viber tells of a contact."""
        if not _is_taken(reply):
            return _not_taken(reply)
        user = reply.told().get("user")
        return profiles.known(viber.contact(user) if isinstance(user, dict) else {})

    def _call(self, method: str, body: bytes, wait_s: float = _WAIT_S) -> Call:
        if self.auth_token is None:
            raise DeliveryError("sources.viber.auth_token is not set")
        headers = {"x-viber-auth-token": self.auth_token, "content-type": "application/json"}
        return Call("POST", f"{self.api_url.rstrip('/')}/pa/{method}", headers, body, wait_s)


def _add_file(message: Outbound, named: dict[str, Any]) -> None:
    """Say how large a file of ours is, as Viber wants to know of films and documents.

    Raises:
        DeliveryError: Viber takes no such file, or cannot fetch it.
    """
    attached.check_reachable(message.files)
    kind, url = (string(bytes(named.get(name, b""))) or "" for name in ("type", "media"))
    file = message.files.get(url)
    if file is not None and kind in _LIMITS:
        _LIMITS[kind].check(file, kind)
        if kind != "picture":
            named.setdefault("size", file.size)


def _is_taken(reply: Reply) -> bool:
    return reply.status == 200 and reply.told().get("status") == 0


def _not_taken(reply: Reply) -> Refused | Later:
    told = reply.told()
    status, reason = told.get("status"), told.get("status_message")
    may_pass = isinstance(status, int) and (status == _TOO_MANY_REQUESTS or status > _KNOWN_MAX)
    shown = reason if isinstance(reason, str) and reason else None
    return sending.not_taken(reply, shown, may_pass=may_pass)
