"""Records of what the simulator's platforms tell: messages, receipts, reactions, of all sources."""

from collections.abc import Iterator, Mapping

from airy_ray.clock import Micros, Millis
from airy_ray.model.channel import Channel
from airy_ray.model.ids import ChannelId
from airy_ray.partition.routing import custom_record_of, record_of
from airy_ray.rawlog.record import Record
from airy_ray.simulator import custom, instagram, telegram, twilio, viber, viber_api, whatsapp
from airy_ray.simulator.story import Delivery
from airy_ray.simulator.traffic import Cast, Shape, Traffic, cast
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import Twilio
from airy_ray.sources.viber import Account, Viber
from airy_ray.sources.whatsapp import Whatsapp

_OTHERS = (
    instagram.SOURCE, whatsapp.SOURCE, twilio.SMS, twilio.WHATSAPP,
    viber.SOURCE, telegram.SOURCE, custom.SOURCE,
)  # fmt: skip
_PER_S = 1_000.0
"""By the clocks of the platforms; a year is 31,536,000,000 of them."""


def records(seed: int, *, conversations: int, began_at: Millis) -> Iterator[Record]:
    """Yield the records of webhooks for ever, all channels being connected.

    Each source has so many `conversations`. A tenth of the webhooks comes late and is stored where
    it is in time, and none comes twice: history is made of what is new.
    """
    named = cast(seed, began_at, pages=2, app_id="1", others=_OTHERS)
    sources = _sources()
    shape = Shape(rate=_PER_S, duration_s=None, conversations=conversations)
    for planned in Traffic(shape, named, seed=seed, began_at=began_at).planned():
        if isinstance(planned, Delivery):  # visitors of websites come by commands
            at = Micros(int((began_at + planned.due_s * 1_000) * 1_000))
            yield _record(sources, named, planned, at)


def _record(sources: Mapping[str, Source], named: Cast, told: Delivery, at: Micros) -> Record:
    if told.source == custom.SOURCE:
        return custom_record_of(named.program, told.body, _connected, at)
    url = f"http://localhost/telegram/{told.threads[0].channel}"
    return record_of(sources[told.source], Webhook(told.body, {}, url), _connected, at)


def _sources() -> dict[str, Source]:
    meta, by_twilio = Facebook("secret", app_id="1"), Twilio("secret")
    return {
        "facebook": meta,
        instagram.SOURCE: meta,
        "google": Google("secret"),
        whatsapp.SOURCE: Whatsapp("secret"),
        twilio.SMS: by_twilio,
        twilio.WHATSAPP: by_twilio,
        viber.SOURCE: Viber("secret", lambda: Account(viber_api.ACCOUNT, "Bot")),
        telegram.SOURCE: Telegram(lambda _: "secret"),
    }


def _connected(identifier: ChannelId) -> Channel:
    return Channel(identifier, "", "", connected=True, changed_at=Millis(0))
