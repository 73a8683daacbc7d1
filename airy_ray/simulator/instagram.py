"""Instagram's webhooks as Meta sends them: like Messenger's, but for some kinds (sources §2)."""

from collections.abc import Iterable

from airy_ray.simulator import messenger
from airy_ray.simulator.moments import Chances, Item, Moment, happening
from airy_ray.simulator.story import Thread

SOURCE = "instagram"
_STORY = "https://lookaside.example.org/ig_messaging_cdn/?asset_id=17"


def key(thread: Thread, run: str, number: int) -> str:
    """Return what a message is called."""
    return f"aWdf{run}{number:08}"


def item(moment: Moment) -> Item:
    """Return something that happened between a person and an account."""
    return happening(moment, _CHANCES)


def body(items: Iterable[Item]) -> bytes:
    """Return a body with items."""
    return messenger.body(items, SOURCE)


def _story_reply(moment: Moment) -> Item:
    story = {"story": {"url": f"{_STORY}{moment.key}", "id": f"s{moment.key}"}}
    return messenger.message(moment, {"text": "Where is that?", "reply_to": story})


def _unsupported(moment: Moment) -> Item:
    return messenger.message(moment, {"is_unsupported": True})


def seen(moment: Moment, target: str) -> Item:
    """Return an item that tells that a message of ours and all before it were seen."""
    return messenger.plain_item(moment, {"read": {"mid": target}})


def _seen(moment: Moment) -> Item:
    return seen(moment, moment.recent[-1] if moment.recent else "unheard-of")


_CHANCES: Chances = {
    messenger.text: 66,
    messenger.attachment: 10,
    messenger.quick_reply: 4,
    messenger.postback: 4,
    messenger.reaction: 6,
    _story_reply: 4,
    _unsupported: 2,
    _seen: 4,
}
