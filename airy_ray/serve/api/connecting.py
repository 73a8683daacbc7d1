"""`channels.<source>.connect`: what a source needs to be told, and what comes of it.

Contract: platform API §7.6. Calls to platforms come first: unless all succeed, nothing is stored.
"""

import re

from pydantic import AliasChoices, Field

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import ConnectChannel
from airy_ray.model.ids import channel_id, format_id
from airy_ray.serve.api import examples, graph, shapes, telegram, viber
from airy_ray.serve.api.channels import ImageUrl, given
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalText, aliases
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.public_url import public_url
from airy_ray.serve.http import Response

_SPACE = re.compile(r"\s+")
_WHATSAPP = "whatsapp:"

_PAGE_ID = "104215698765432"
_ACCOUNT_ID = "17841405309211844"
_PHONE_NUMBER = "+15005550006"
_ISSUED = "EAAGm0PX4ZCps"
_BOT = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


class ChatpluginChannel(Body):
    """A website."""

    model_config = example(name="Shop", image_url=examples.IMAGE_URL)
    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class GoogleChannel(Body):
    """An agent of Google Business Messages or RCS."""

    model_config = example(gbm_id="brands/1/agents/2", name="Shop")
    gbm_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class FacebookChannel(Body):
    """A page, with a token of somebody who may manage it."""

    model_config = example(page_id=_PAGE_ID, page_token=_ISSUED)
    page_id: str = Field(min_length=1)
    page_token: str = Field(min_length=1)
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


class InstagramChannel(FacebookChannel):
    """An Instagram account, and the page that it belongs to."""

    model_config = example(page_id=_PAGE_ID, page_token=_ISSUED, account_id=_ACCOUNT_ID)
    account_id: str = Field(min_length=1)


class WhatsappChannel(Body):
    """A phone number of WhatsApp's Cloud API, with a token of somebody who may use it."""

    model_config = example(phone_number_id="106540352242922", user_token=_ISSUED, name="Shop")
    phone_number_id: str = Field(min_length=1)
    user_token: str = Field(min_length=1)
    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class TwilioChannel(Body):
    """A phone number at Twilio."""

    model_config = example(phone_number=_PHONE_NUMBER, name="Shop")
    phone_number: str = Field(min_length=1)
    name: str = Field(min_length=1)
    image_url: OptionalText = ImageUrl


class ViberChannel(Body):
    """What the bot in the settings is to be called; as its account, if nothing is said."""

    model_config = example(name="Shop")
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


class TelegramChannel(Body):
    """A bot, by its token."""

    model_config = example(bot_token=_BOT)
    bot_token: str = Field(min_length=1)
    name: OptionalText = None
    image_url: OptionalText = ImageUrl


class ExploreFacebook(Body):
    """A token of somebody who manages pages."""

    model_config = example(auth_token=_ISSUED)
    auth_token: str = Field(min_length=1, validation_alias=AliasChoices("auth_token", "token"))


async def connect_chatplugin(
    platform: Platform, caller: Caller, asked: ChatpluginChannel
) -> Response:
    """Make a new channel for a website."""
    metadata = given(name=asked.name, image_url=asked.image_url)
    return await _store(
        platform, caller, source="chatplugin", known_as=asked.name, metadata=metadata, is_new=True
    )


async def connect_google(platform: Platform, caller: Caller, asked: GoogleChannel) -> Response:
    """Use an agent as a channel."""
    metadata = given(name=asked.name, image_url=asked.image_url)
    return await _store(platform, caller, source="google", known_as=asked.gbm_id, metadata=metadata)


async def connect_facebook(platform: Platform, caller: Caller, asked: FacebookChannel) -> Response:
    """Use a page as a channel: get a token that lasts, and subscribe to the page's events."""
    page = await graph.connect_page(platform, asked.page_id, asked.page_token)
    metadata = given(
        name=asked.name or page.name,
        image_url=asked.image_url or page.image_url,
        page_id=asked.page_id,
    )
    return await _store(
        platform,
        caller,
        source="facebook",
        known_as=asked.page_id,
        metadata=metadata,
        token=page.token,
        is_backfilled=platform.settings.sources.facebook.backfill.conversations > 0,
    )


async def connect_instagram(
    platform: Platform, caller: Caller, asked: InstagramChannel
) -> Response:
    """Use an Instagram account as a channel: its events are those of its page."""
    page = await graph.connect_page(platform, asked.page_id, asked.page_token)
    default_name = None if page.name is None else f"{page.name} Instagram account"
    metadata = given(
        name=asked.name or default_name,
        image_url=asked.image_url,
        page_id=asked.page_id,
        account_id=asked.account_id,
    )
    return await _store(
        platform,
        caller,
        source="instagram",
        known_as=asked.account_id,
        metadata=metadata,
        token=page.token,
    )


async def connect_whatsapp(platform: Platform, caller: Caller, asked: WhatsappChannel) -> Response:
    """Use a phone number of the Cloud API as a channel: get a token that lasts."""
    token = await graph.whatsapp_token(platform, asked.phone_number_id, asked.user_token)
    return await _store(
        platform,
        caller,
        source="whatsapp",
        known_as=asked.phone_number_id,
        metadata=given(name=asked.name, image_url=asked.image_url),
        token=token,
    )


async def connect_twilio_sms(platform: Platform, caller: Caller, asked: TwilioChannel) -> Response:
    """Use a phone number as a channel for SMS."""
    return await _connect_twilio(platform, caller, asked, "twilio.sms", _phone(asked))


async def connect_twilio_whatsapp(
    platform: Platform, caller: Caller, asked: TwilioChannel
) -> Response:
    """Use a phone number as a channel for WhatsApp through Twilio."""
    number = _WHATSAPP + _phone(asked).removeprefix(_WHATSAPP)
    return await _connect_twilio(platform, caller, asked, "twilio.whatsapp", number)


async def _connect_twilio(
    platform: Platform, caller: Caller, asked: TwilioChannel, source: str, number: str
) -> Response:
    metadata = given(name=asked.name, image_url=asked.image_url)
    return await _store(platform, caller, source=source, known_as=number, metadata=metadata)


async def connect_viber(platform: Platform, caller: Caller, asked: ViberChannel) -> Response:
    """Use the bot in the settings as a channel: have its events sent here."""
    account = await viber.subscribe(platform, public_url(platform.settings, caller.headers))
    return await _store(
        platform,
        caller,
        source="viber",
        known_as=account.id,
        metadata=given(
            name=asked.name or account.name, image_url=asked.image_url or account.image_url
        ),
    )


async def connect_telegram(platform: Platform, caller: Caller, asked: TelegramChannel) -> Response:
    """Use a bot as a channel: have its updates sent here."""
    base_url = public_url(platform.settings, caller.headers)
    bot = await telegram.subscribe(platform, asked.bot_token, base_url)
    return await _store(
        platform,
        caller,
        source="telegram",
        known_as=bot.id,
        metadata=given(name=asked.name or bot.name, image_url=asked.image_url),
        token=asked.bot_token,
    )


async def explore_facebook(platform: Platform, _: Caller, asked: ExploreFacebook) -> Response:
    """Return the pages that somebody manages, and which of them are connected here."""
    pages = await graph.managed_pages(platform, asked.auth_token)
    connected = {
        each.source_channel_id
        for each in platform.machine.registry.channels()
        if each.connected and each.source == "facebook"
    }
    return items(
        [
            json_text.encode(
                {"page_id": page.id}
                | given(name=page.name, image_url=page.image_url)
                | {"connected": page.id in connected}
            )
            for page in pages
        ]
    )


def _phone(asked: TwilioChannel) -> str:
    number = _SPACE.sub("", asked.phone_number)
    if number in ("", _WHATSAPP):
        raise RequestError(400, "phone_number: is required")
    return number


async def _store(
    platform: Platform,
    caller: Caller,
    *,
    source: str,
    known_as: str,
    metadata: dict[str, str],
    token: str | None = None,
    is_new: bool = False,
    is_backfilled: bool = False,
) -> Response:
    command = ConnectChannel(
        **caller.signed(),
        source=source,
        source_channel_id=known_as,
        channel_id=None if is_new else format_id(channel_id(source, known_as)),
        token=token,
        metadata=metadata,
        is_backfilled=is_backfilled,
    )
    return await platform.register(command)


ENDPOINTS = [
    Endpoint(
        "/channels.chatplugin.connect",
        connect_chatplugin,
        ChatpluginChannel,
        "Connect a website",
        shapes.Channel,
    ),
    Endpoint(
        "/channels.facebook.connect",
        connect_facebook,
        FacebookChannel,
        "Connect a Facebook page",
        shapes.Channel,
        examples={200: examples.channel("facebook", _PAGE_ID, name="Shop", page_id=_PAGE_ID)},
        failures=(500,),
    ),
    *aliases(
        Endpoint(
            "/channels.facebook.explore",
            explore_facebook,
            ExploreFacebook,
            "List somebody's Facebook pages",
            shapes.Items[shapes.FacebookPage],
            failures=(500,),
        ),
        "/facebook.channels.explore",
    ),
    Endpoint(
        "/channels.instagram.connect",
        connect_instagram,
        InstagramChannel,
        "Connect an Instagram account",
        shapes.Channel,
        examples={
            200: examples.channel(
                "instagram",
                _ACCOUNT_ID,
                name="Shop Instagram account",
                page_id=_PAGE_ID,
                account_id=_ACCOUNT_ID,
            )
        },
        failures=(500,),
    ),
    Endpoint(
        "/channels.google.connect",
        connect_google,
        GoogleChannel,
        "Connect a Google agent",
        shapes.Channel,
        examples={200: examples.channel("google", "brands/1/agents/2", name="Shop")},
    ),
    Endpoint(
        "/channels.whatsapp.connect",
        connect_whatsapp,
        WhatsappChannel,
        "Connect a WhatsApp phone number",
        shapes.Channel,
        examples={200: examples.channel("whatsapp", "106540352242922", name="Shop")},
        failures=(500,),
    ),
    Endpoint(
        "/channels.twilio.sms.connect",
        connect_twilio_sms,
        TwilioChannel,
        "Connect a phone number at Twilio for SMS",
        shapes.Channel,
        examples={200: examples.channel("twilio.sms", _PHONE_NUMBER, name="Shop")},
    ),
    Endpoint(
        "/channels.twilio.whatsapp.connect",
        connect_twilio_whatsapp,
        TwilioChannel,
        "Connect a phone number at Twilio for WhatsApp",
        shapes.Channel,
        examples={200: examples.channel("twilio.whatsapp", _WHATSAPP + _PHONE_NUMBER, name="Shop")},
    ),
    Endpoint(
        "/channels.viber.connect",
        connect_viber,
        ViberChannel,
        "Connect the Viber bot",
        shapes.Channel,
        examples={200: examples.channel("viber", "pa:75346594275468546724", name="Shop")},
        failures=(500,),
        may_be_empty=True,
    ),
    Endpoint(
        "/channels.telegram.connect",
        connect_telegram,
        TelegramChannel,
        "Connect a Telegram bot",
        shapes.Channel,
        examples={200: examples.channel("telegram", "110201543", name="Shop")},
        failures=(500,),
    ),
]
