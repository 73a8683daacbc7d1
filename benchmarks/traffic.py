"""Webhooks as Facebook and Google post them: one text message each, none like another."""

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256

from airy_ray.clock import Micros, Millis
from airy_ray.model.channel import Channel
from airy_ray.model.ids import ChannelId
from airy_ray.partition.routing import record_of
from airy_ray.rawlog.record import Record
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from benchmarks.load import Post
from benchmarks.system import APP_SECRET, PAGE

_BODY = (
    '{"object":"page","entry":[{"id":"%(page)s","time":%(at)d,"messaging":[{"sender":'
    '{"id":"%(contact)s"},"recipient":{"id":"%(page)s"},"timestamp":%(at)d,"message":'
    '{"mid":"m_%(mid)s","text":"hello, this is message %(mid)s and it asks about an order"}}]}]}'
)
_AGENT_BODY = (
    '{"agent":"brands/b/agents/%(agent)s","conversationId":"%(contact)s","requestId":'
    '"r_%(contact)s","message":{"messageId":"m_%(contact)s","text":"hello",'
    '"createTime":"2026-01-01T08:00:00.000Z"},"sendTime":"2026-01-01T08:00:00.000Z"}'
)
_FACEBOOK = Facebook(APP_SECRET)


def text_messages(
    name: str, contacts: Iterable[str], *, begin_at: Millis, page: str = PAGE
) -> Iterator[bytes]:
    """Yield the bodies of webhooks with one message each, a millisecond apart.

    Messages of different names are different.
    """
    for number, contact in enumerate(contacts):
        mid = f"{name}_{number}"
        at = begin_at + number
        yield (_BODY % {"page": page, "contact": contact, "mid": mid, "at": at}).encode()


def agent_messages(agent: str, contacts: Iterable[str]) -> Iterator[bytes]:
    """Yield the bodies of Google's webhooks with one message of each contact to an agent."""
    for contact in contacts:
        yield (_AGENT_BODY % {"agent": agent, "contact": contact}).encode()


def signed(body: bytes, secret: str = APP_SECRET) -> Post:
    """Return a webhook's request with the signature that Facebook would send."""
    digest = hmac.new(secret.encode(), body, sha256).hexdigest()
    return Post(body, [("x-hub-signature-256", f"sha256={digest}")])


def recorded(body: bytes, at: Micros) -> Record:
    """Return the record of a webhook that came in at `at`, our page being connected."""
    return record_of(_FACEBOOK, Webhook(body, {}), _connected_page, at)


def _connected_page(identifier: ChannelId) -> Channel:
    return Channel(identifier, "facebook", PAGE, connected=True, changed_at=Millis(0))
