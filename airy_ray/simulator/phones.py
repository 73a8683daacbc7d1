"""What people can do on each platform, and the webhooks that tell of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airy_ray.simulator import (
    business_messages,
    custom,
    instagram,
    messenger,
    telegram,
    twilio,
    viber,
    whatsapp,
)
from airy_ray.simulator.moments import Item, Moment
from airy_ray.simulator.story import Thread


@dataclass(frozen=True, slots=True)
class Phone:
    """A platform in somebody's hand; None stands for what it does not have, or does not tell.

    Attributes:
        key: what the next message is called, by its conversation, the run and a number.
        body: the body of the request that tells of items.
        said: a message of words.
        pictured: a message that is the picture at an address.
        located: a message that is a place, by latitude and longitude.
        reacted: a reaction to the message of a key, or without an emoji its removal.
        arrived: the message of a key got there.
        seen: the message of a key was seen.
    """

    title: str
    key: Callable[[Thread, str, int], str]
    body: Callable[[Iterable[Item]], bytes]
    said: Callable[[Moment, str], Item]
    pictured: Callable[[Moment, str], Item] | None = None
    located: Callable[[Moment, float, float], Item] | None = None
    reacted: Callable[[Moment, str, str | None], Item] | None = None
    arrived: Callable[[Moment, str], Item] | None = None
    seen: Callable[[Moment, str], Item] | None = None


PHONES = {
    messenger.SOURCE: Phone(
        "Messenger",
        messenger.key,
        messenger.body,
        messenger.said,
        messenger.pictured,
        reacted=messenger.reacted,
        arrived=messenger.arrived,
        seen=messenger.seen,
    ),
    instagram.SOURCE: Phone(
        "Instagram",
        instagram.key,
        instagram.body,
        messenger.said,
        messenger.pictured,
        reacted=messenger.reacted,
        seen=instagram.seen,
    ),
    whatsapp.SOURCE: Phone(
        "WhatsApp",
        whatsapp.key,
        whatsapp.body,
        whatsapp.said,
        whatsapp.pictured,
        whatsapp.located,
        whatsapp.reacted,
        whatsapp.arrived,
        whatsapp.seen,
    ),
    business_messages.SOURCE: Phone(
        "Google Business Messages",
        business_messages.key,
        business_messages.body,
        business_messages.said,
        business_messages.pictured,
        arrived=business_messages.arrived,
        seen=business_messages.seen,
    ),
    twilio.SMS: Phone(
        "SMS (Twilio)",
        twilio.key,
        twilio.body,
        twilio.said,
        twilio.pictured,
        arrived=twilio.arrived,
    ),
    twilio.WHATSAPP: Phone(
        "WhatsApp (Twilio)",
        twilio.key,
        twilio.body,
        twilio.said,
        twilio.pictured,
        twilio.located,
        arrived=twilio.arrived,
        seen=twilio.seen,
    ),
    viber.SOURCE: Phone(
        "Viber",
        viber.key,
        viber.body,
        viber.said,
        viber.pictured,
        viber.located,
        arrived=viber.arrived,
        seen=viber.seen,
    ),
    telegram.SOURCE: Phone(
        "Telegram",
        telegram.key,
        telegram.body,
        telegram.said,
        telegram.pictured,
        telegram.located,
        telegram.reacted,
    ),
    custom.SOURCE: Phone("A custom source", custom.key, custom.body, custom.said),
}
