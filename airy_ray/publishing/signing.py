"""The headers of a call: the contract's signature (platform API §10.2), and Standard Webhooks'.

A key that begins with `whsec_` is base64, as Standard Webhooks has it; of any other text the bytes
are the key. The contract's signature takes the bytes of the text, whatever it is.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"


def headers(
    own: Mapping[str, str], keys: Sequence[str], body: bytes, *, event_id: str, at_s: int
) -> dict[str, str]:
    """Return the headers of a call at an instant, in seconds; `keys` with the newest first.

    Who subscribed may replace the first two and add `own`, but not sign for us.
    """
    made = {"Content-Type": "application/json", "User-Agent": "Airy/1.0"}
    replaced = {name.lower() for name in own}
    made = {name: value for name, value in made.items() if name.lower() not in replaced}
    made |= {name: value for name, value in own.items() if name.lower() not in RESERVED}
    made |= {"webhook-id": event_id, "webhook-timestamp": str(at_s)}
    if keys:
        signed = b"%b.%d.%b" % (event_id.encode(), at_s, body)
        made["X-Airy-Content-Signature"] = content_signature(keys[0], body)
        made["webhook-signature"] = " ".join(_signature(key, signed) for key in keys)
    return made


RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-airy-content-signature",
    }
)
"""Headers that nobody may set, in lower case."""


def content_signature(key: str, body: bytes) -> str:
    """Return the contract's signature: HMAC-SHA256 in lower-case hexadecimal digits."""
    return hmac.new(key.encode(), body, "sha256").hexdigest()


def key_bytes(key: str) -> bytes:
    """Return what Standard Webhooks signs with.

    Raises:
        ValueError: it begins as base64 and is none, or is empty.
    """
    if not key.startswith(PREFIX):
        return key.encode()
    try:
        told = key.removeprefix(PREFIX).rstrip("=")
        made = b64decode(told + "=" * (-len(told) % 4), validate=True)
    except binascii.Error:
        raise ValueError("after whsec_ comes base64") from None
    if not made:
        raise ValueError("after whsec_ comes base64")
    return made


def _signature(key: str, signed: bytes) -> str:
    return f"v1,{b64encode(hmac.new(key_bytes(key), signed, 'sha256').digest()).decode()}"
