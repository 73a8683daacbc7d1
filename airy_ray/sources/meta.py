"""What Meta's products share: signature and handshake of webhooks, errors. https://developers.facebook.com/docs/graph-api/webhooks/."""

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha1, sha256

import msgspec

from airy_ray.errors import SignatureError
from airy_ray.model import json_text
from airy_ray.sources import sending
from airy_ray.sources.json_parts import array_of, elements, members, object_of
from airy_ray.sources.sending import Later, Refused, Reply
from airy_ray.sources.source import Cut, Webhook, Without

_TOKEN_ENDED = 190
"""The code of an error that says that a token has expired, or was taken back."""


class MetaSignature:
    """Checks `X-Hub-Signature-256` over the exact bytes (sources §1.1).

    The keyed hash is set up once and copied for each body: a one-shot HMAC lets other threads run,
    and waiting for them costs more than the hash.
    """

    def __init__(self, source: str, secret: str, *, allow_legacy_sha1: bool = False) -> None:
        self._source = source
        self._sha256 = hmac.new(secret.encode(), digestmod=sha256)
        self._sha1 = hmac.new(secret.encode(), digestmod=sha1) if allow_legacy_sha1 else None

    def check(self, webhook: Webhook) -> None:
        """Raise `SignatureError` unless the body carries a valid signature."""
        claimed = webhook.headers.get("x-hub-signature-256")
        if claimed is not None:
            keyed, prefix = self._sha256, "sha256="
        elif self._sha1 is not None:
            keyed, prefix, claimed = self._sha1, "sha1=", webhook.headers.get("x-hub-signature", "")
        else:
            raise SignatureError(self._source)
        hashed = keyed.copy()
        hashed.update(webhook.body)
        expected = prefix + hashed.hexdigest()
        if not hmac.compare_digest(expected.encode(), _lower_digest(claimed).encode()):
            raise SignatureError(self._source)


def handshake(query: Mapping[str, str], verify_token: str | None) -> str | None:
    """Return what to answer Meta's verification request with; None is a refusal."""
    token = query.get("hub.verify_token", "")
    if verify_token is None or not hmac.compare_digest(token.encode(), verify_token.encode()):
        return None
    if query.get("hub.mode", "subscribe") != "subscribe":
        return None
    return query.get("hub.challenge", "")


def body_without(body: bytes, cut: Cut, entry_without: Without) -> bytes | None:
    """Return a body without what goes of its entries, all else as it came; None if none is left."""
    left = array_without(json_text.shield(body), "entry", cut, entry_without)
    return None if left is None else json_text.unshield(left)


def array_without(text: bytes, name: str, cut: Cut, part_without: Without) -> bytes | None:
    """Return an object without what goes of its array `name`; None if none of that is left.

    One without such an array goes if it names somebody forgotten.
    """
    told = members(text)
    parts = None if told is None else elements(told.get(name))
    if told is None or parts is None:
        return None if cut.names(json_text.unshield(text)) else text
    kept = [part_without(part, cut) for part in parts]
    if kept == parts:
        return text
    left = [part for part in kept if part is not None]
    return object_of(told | {name: array_of(left)}) if left else None


def uploaded(
    reply: Reply,
    name: str,
    passing: Collection[int],
    passing_subcodes: Collection[tuple[int, int]] = (),
) -> str | Refused | Later:
    """Return what a file is called that was given, as the member `name` of the answer tells."""
    known_as = reply.told().get(name)
    if reply.status == 200 and isinstance(known_as, str) and known_as:
        return known_as
    return not_taken(reply, passing, passing_subcodes)


def not_taken(
    reply: Reply,
    passing: Collection[int],
    passing_subcodes: Collection[tuple[int, int]] = (),
    *,
    lasting: Collection[int] = (),
    of_conversation: Collection[int] = (),
) -> Refused | Later:
    """Return what an error of the Graph API means by its code, else by its status.

    Codes in `passing` may pass, those in `lasting` do not; `of_conversation` are about it alone.
    """
    problem = reply.told().get("error")
    told = problem if isinstance(problem, dict) else {}
    text, code, subcode = (told.get(name) for name in ("message", "code", "error_subcode"))
    may_pass = isinstance(code, int) and (
        code in passing or (isinstance(subcode, int) and (code, subcode) in passing_subcodes)
    )
    reason = text if isinstance(text, str) else None
    if reason and isinstance(code, int) and code in lasting:
        return Refused(reason, reply.text)
    verdict = sending.not_taken(reply, reason, may_pass=may_pass)
    if isinstance(verdict, Refused):
        return msgspec.structs.replace(verdict, is_of_token=code == _TOKEN_ENDED)
    if isinstance(code, int) and code in of_conversation:
        return msgspec.structs.replace(verdict, is_of_conversation=True)
    return verdict


def _lower_digest(claimed: str) -> str:
    """Return a header with its digest in lower case; its prefix has to match as it is."""
    prefix, equals, digest = claimed.partition("=")
    return prefix + equals + digest.lower()
