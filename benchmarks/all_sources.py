"""Records of what the simulator's platforms tell: messages, receipts, reactions, of all sources."""

from collections.abc import Iterator, Mapping
from typing import Any

from airy_ray.clock import Micros, Millis
from airy_ray.model.channel import Channel
from airy_ray.model.ids import ChannelId
from airy_ray.partition.routing import custom_record_of, record_of
from airy_ray.rawlog.record import Record
from airy_ray.simulator import (
    business_messages,
    custom,
    instagram,
    messenger,
    telegram,
    twilio,
    viber,
    viber_api,
    whatsapp,
)
from airy_ray.simulator.hooks import Secrets, hooks
from airy_ray.simulator.story import Delivery
from airy_ray.simulator.traffic import Cast, Shape, Traffic, cast
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import Twilio
from airy_ray.sources.viber import Account, Viber
from airy_ray.sources.whatsapp import Whatsapp
from benchmarks.load import Post

_OTHERS = (
    instagram.SOURCE, whatsapp.SOURCE, twilio.SMS, twilio.WHATSAPP,
    viber.SOURCE, telegram.SOURCE, custom.SOURCE,
)  # fmt: skip
_APP_ID = "1"
_SECRET = "secret"  # noqa: S105 - signs what we send to ourselves
_SECRETS = Secrets(*[_SECRET] * 5)
_PUBLIC_URL = "http://127.0.0.1"
SETTINGS: Mapping[str, Any] = {
    "http": {"public_url": _PUBLIC_URL},
    "sources": {
        "facebook": {"app_id": _APP_ID, "app_secret": _SECRET},
        "google": {"partner_key": _SECRET},
        "whatsapp": {"app_secret": _SECRET},
        "twilio": {"auth_token": _SECRET},
        "viber": {"auth_token": _SECRET},
    },
}
"""What a system is told that takes them."""

PER_S = 1_000
"""By the clocks of the platforms; a year is 31,536,000,000 of them."""


class AllSources:
    """Webhooks of all sources for ever, so many `conversations` in each.

    A tenth of them comes late and is where it is in time, and none comes twice: history is made of
    what is new.
    """

    def __init__(self, seed: int, *, conversations: int, began_at: Millis) -> None:
        self._began_at = began_at
        self._named = cast(seed, began_at, pages=2, app_id=_APP_ID, others=_OTHERS)
        self._known = _sources()
        shape = Shape(rate=PER_S, duration_s=None, conversations=conversations)
        self._planned = Traffic(shape, self._named, seed=seed, began_at=began_at).planned()

    def channels(self) -> Iterator[tuple[str, str]]:
        """Yield the source of each channel, and what it is called there."""
        yield from ((messenger.SOURCE, page) for page in self._named.pages)
        yield business_messages.SOURCE, self._named.agent
        yield from self._named.channels.items()

    def records(self) -> Iterator[Record]:
        """Yield what is stored of the webhooks that come next, all channels being connected."""
        for told in self._deliveries():
            at = Micros(int((self._began_at + told.due_s * 1_000) * 1_000))
            yield _record(self._known, self._named, told, at)

    def posts(self) -> Iterator[Post]:
        """Yield the webhooks that come next, as they are posted to a system with `SETTINGS`.

        Those of Telegram and of the custom source are left out: what proves that they come from
        there is made when they are connected.
        """
        known = hooks(_SECRETS, _PUBLIC_URL)
        for told in self._deliveries():
            if told.source in known:
                path, headers = known[told.source](told.body)
                yield Post(told.body, headers, path)

    def _deliveries(self) -> Iterator[Delivery]:
        for planned in self._planned:
            if isinstance(planned, Delivery):  # visitors of websites come by commands
                yield planned


def _record(sources: Mapping[str, Source], named: Cast, told: Delivery, at: Micros) -> Record:
    if told.source == custom.SOURCE:
        return custom_record_of(named.program, told.body, _connected, at)
    url = f"http://localhost/telegram/{told.threads[0].channel}"
    return record_of(sources[told.source], Webhook(told.body, {}, url), _connected, at)


def _sources() -> dict[str, Source]:
    meta, by_twilio = Facebook(_SECRET, app_id=_APP_ID), Twilio(_SECRET)
    return {
        "facebook": meta,
        instagram.SOURCE: meta,
        "google": Google(_SECRET),
        whatsapp.SOURCE: Whatsapp(_SECRET),
        twilio.SMS: by_twilio,
        twilio.WHATSAPP: by_twilio,
        viber.SOURCE: Viber(_SECRET, lambda: Account(viber_api.ACCOUNT, "Bot")),
        telegram.SOURCE: Telegram(lambda _: _SECRET),
    }


def _connected(identifier: ChannelId) -> Channel:
    return Channel(identifier, "", "", connected=True, changed_at=Millis(0))
