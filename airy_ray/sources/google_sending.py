"""Messages to Google Business Messages and RCS for Business (sources §5.3, §5.6)."""

from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import DeliveryError
from airy_ray.model.ids import format_id
from airy_ray.sources import attached, sending
from airy_ray.sources.attached import Place
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

_SCOPE = "https://www.googleapis.com/auth/"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_LASTS_S = 3_600
_PER_S = 100.0
_PLACES = tuple(
    Place((*path, "contentInfo"), ("fileUrl", "thumbnailUrl"))
    for path in (
        (),
        ("image",),
        ("richCard", "standaloneCard", "cardContent", "media"),
        ("richCard", "carouselCard", "cardContents", "media"),
    )
)
_BY_PERSON = {"representativeType": "HUMAN"}


class GoogleSending(msgspec.Struct, frozen=True, tag="google"):
    """The API of Business Messages, and that of RCS for agents whose id is an address.

    Attributes:
        service_account: the JSON of the key that Google gave us.
        is_rcs: whether all agents are of RCS.
    """

    api_url: str
    rcs_api_url: str
    service_account: str | None
    is_rcs: bool = False

    is_deduplicating = True
    opens_conversations = False
    needs_token = False
    expires = True

    def pace(self, content: bytes) -> Pace:
        """Return one limit for all."""
        return Pace(_PER_S)

    def authorization(self, channel: str, at: Millis) -> Call | None:
        """Return the call that exchanges a signed claim for a token that lasts an hour."""
        import jwt  # it brings its cryptography along, which only this source needs

        account = _account(self.service_account)
        name = "rcsbusinessmessaging" if self._is_rcs(channel) else "businessmessages"
        issued_s = at // 1_000
        claims = {
            "iss": account.client_email,
            "scope": _SCOPE + name,
            "aud": account.token_uri,
            "iat": issued_s,
            "exp": issued_s + _LASTS_S,
        }
        try:
            signed = jwt.encode(claims, account.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise DeliveryError("sources.google.sa_file: the private key is no key") from None
        return Call(
            "POST",
            account.token_uri,
            {"content-type": "application/x-www-form-urlencoded"},
            urlencode({"grant_type": _GRANT, "assertion": signed}).encode(),
        )

    def authorized(self, reply: Reply) -> Authorized | Refused | Later:
        """Return the token in an answer, or why there is none."""
        told = reply.told()
        token, lasts_s = told.get("access_token"), told.get("expires_in")
        if reply.status == 200 and isinstance(token, str) and token:
            return Authorized(token, float(lasts_s) if isinstance(lasts_s, int) else _LASTS_S)
        reason = told.get("error_description") or told.get("error")
        return sending.not_taken(reply, reason if isinstance(reason, str) else None, may_pass=False)

    def calls(self, message: Outbound) -> list[Call]:
        """Return the one call; our id in it has Google take the message once."""
        named: dict[str, Any] = dict(sending.fields(message.content))
        attached.check_reachable(message.files)
        known_as = format_id(message.message_id)
        if self._is_rcs(message.channel):
            query = urlencode({"messageId": known_as, "agentId": message.channel}, safe="@")
            phone = quote(message.recipient, safe="+")
            url = f"{self.rcs_api_url.rstrip('/')}/v1/phones/{phone}/agentMessages?{query}"
            body: dict[str, Any] = {"contentMessage": msgspec.Raw(message.content)}
        else:
            conversation = quote(message.recipient, safe="")
            url = f"{self.api_url.rstrip('/')}/v1/conversations/{conversation}/messages"
            body = {**named, "messageId": known_as}
            body.setdefault("representative", _BY_PERSON)
        headers = {
            "authorization": f"Bearer {message.token}",
            "content-type": "application/json",
        }
        return [Call("POST", url, headers, sending.body_of(body))]

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of pictures, films and documents, which Google fetches itself."""
        return attached.links(content, _PLACES)

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Google's answer means; it calls the message as we do."""
        if reply.status == 200:
            return Taken(format_id(message.message_id))
        problem = reply.told().get("error")
        reason = problem.get("message") if isinstance(problem, dict) else None
        return sending.not_taken(reply, reason if isinstance(reason, str) else None, may_pass=False)

    def _is_rcs(self, channel: str) -> bool:
        return self.is_rcs or "@" in channel  # `agent@rbm.goog`; the others are plain names


class _Account(msgspec.Struct):
    client_email: str
    private_key: str
    token_uri: str = _TOKEN_URI


def _account(service_account: str | None) -> _Account:
    if service_account is None:
        raise DeliveryError("sources.google.sa_file is not set")
    try:
        return msgspec.json.decode(service_account, type=_Account)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DeliveryError("sources.google.sa_file: not the JSON of a service account") from None
