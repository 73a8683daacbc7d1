"""What the program of a custom source brings in (contract: sources §9): many messages in a body."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Thread, Written

SOURCE = "custom"
PATH = "/sources.webhook"
CHANNEL = "support"


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return f"c_{run}{number:08}"


def item(moment: Moment) -> Item:
    """Return a message that somebody wrote, of us or of them."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return a body with messages."""
    return b'{"messages":[%b]}' % b",".join(each.text for each in items)


def said(moment: Moment, words: str) -> Item:
    """Return a message of words."""
    return _message(moment, {"text": words})


def _object(moment: Moment) -> Item:
    return _message(moment, {"text": f"ticket {moment.key[-8:]}", "lines": [1, 2.5, None]})


def _plain(moment: Moment) -> Item:
    return _message(moment, f"just text {moment.key[-8:]}")


def _ours(moment: Moment) -> Item:
    return _message(moment, {"text": f"answered {moment.key[-8:]}"}, from_contact=False)


def _message(moment: Moment, content: Any, *, from_contact: bool = True) -> Item:
    at = datetime.fromtimestamp(moment.at / 1_000, UTC).isoformat(timespec="milliseconds")
    told = {
        "source_message_id": moment.key,
        "source_conversation_id": moment.thread.contact,
        "source_channel_id": moment.thread.channel,
        "source_sender_id": moment.thread.contact if from_contact else "an agent",
        "content": content,
        "from_contact": from_contact,
        "sent_at": moment.random.choice((moment.at, at)),
    }
    content_text = json.dumps(content).encode()
    written = Written(moment.thread, moment.key, moment.at, from_contact, content_text)
    return Item(moment.thread, moment.at, json.dumps(told).encode(), written)


_CHANCES: Chances = {_object: 60, _plain: 25, _ours: 15}
