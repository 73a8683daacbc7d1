"""`components.*`: what this platform does, in the reference's names (contract: §7.14, App. D.3).

All of it is always installed. What a component is told stands in the configuration, so it can be
read here and not changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from airy_ray.config import Settings
from airy_ray.model import json_text
from airy_ray.serve.api import platform_shapes
from airy_ray.serve.api.endpoint import Endpoint, Nothing
from airy_ray.serve.api.operations import unreadable
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.serve.webhooks import HOOKS

_MASKED = ("secret", "key", "token", "credentials")
_SERVICE_ACCOUNT = "saFile"
_SHORT, _LONG = 2, 8


@dataclass(frozen=True)
class Component:
    """Something that the user interfaces show as on or off, and as well or not.

    Attributes:
        services: those of the reference's that it stands for.
        hook: for a source, where its webhooks come in; it is there if they are served.
        told: which settings it has, by the reference's names; None for one that is not set.
        needs: which of those it cannot do without.
    """

    name: str
    title: str
    about: str
    services: tuple[str, ...] = ()
    hook: str | None = None
    is_channel: bool = False
    told: Callable[[Settings], Mapping[str, str | SecretStr | None]] = lambda _: {}
    needs: tuple[str, ...] = ()

    def is_enabled(self, settings: Settings) -> bool:
        """Whether it has what it needs."""
        told = self.told(settings)
        return all(told[key] is not None for key in self.needs)


def _named(section: Callable[[Settings], BaseModel | None], **keys: str) -> Any:
    """Return what tells a section's settings by the reference's names for them."""
    return lambda settings: {
        known_as: getattr(section(settings), key, None) for known_as, key in keys.items()
    }


_META = {"appId": "app_id", "appSecret": "app_secret", "webhookSecret": "webhook_secret"}

_ALL = (
    Component("api-admin", "Admin API", "Channels, tags, templates and metadata."),
    Component("api-communication", "Communication API", "Conversations and messages."),
    Component("api-contacts", "Contacts", "People, whatever source they write from."),
    Component("integration-source-api", "Source API", "Messages from any program of yours."),
    Component(
        "integration-webhook",
        "Webhooks",
        "Calls your programs when something happens.",
        services=("webhook-publisher", "webhook-consumer"),
    ),
    Component("unread-counter", "Unread counter", "Counts what nobody has read."),
    Component(
        "media-resolver",
        "Media",
        "Keeps the files of messages.",
        told=_named(lambda settings: settings.media, url="url", publicUrl="public_url"),
    ),
    Component(
        "sources-chatplugin",
        "Live chat",
        "Chat on your website.",
        services=("sources-chatplugin",),
        is_channel=True,
    ),
    Component(
        "sources-facebook",
        "Facebook Messenger and Instagram",
        "Messages to your pages and Instagram accounts.",
        services=("sources-facebook-connector", "sources-facebook-events-router"),
        hook="facebook",
        is_channel=True,
        told=_named(lambda settings: settings.sources.facebook, **_META),
        needs=("appSecret",),
    ),
    Component(
        "sources-google",
        "Google Business Messages and RCS",
        "Messages to your agents.",
        services=("sources-google-connector", "sources-google-events-router"),
        hook="google",
        is_channel=True,
        told=_named(
            lambda settings: settings.sources.google, partnerKey="partner_key", saFile="sa_file"
        ),
        needs=("partnerKey",),
    ),
    Component(
        "sources-whatsapp",
        "WhatsApp",
        "Messages to your phone numbers in Meta's Cloud API.",
        services=("sources-whatsapp-connector", "sources-whatsapp-events-router"),
        hook="whatsapp",
        is_channel=True,
        told=_named(lambda settings: settings.sources.whatsapp, **_META),
        needs=("appSecret",),
    ),
    Component(
        "sources-twilio",
        "Twilio",
        "SMS and WhatsApp messages to your phone numbers at Twilio.",
        services=("sources-twilio-connector", "sources-twilio-events-router"),
        hook="twilio",
        is_channel=True,
        told=_named(
            lambda settings: settings.sources.twilio,
            accountSid="account_sid",
            authToken="auth_token",
        ),
        needs=("authToken",),
    ),
    Component(
        "sources-viber",
        "Viber",
        "Messages to your bot.",
        services=("sources-viber-connector",),
        hook="viber",
        is_channel=True,
        told=_named(lambda settings: settings.sources.viber, authToken="auth_token"),
        needs=("authToken",),
    ),
    Component(
        "sources-telegram",
        "Telegram",
        "Messages to your bots.",
        services=("sources-telegram-connector",),
        hook="telegram",
        is_channel=True,
    ),
    Component(
        "rasa-connector",
        "Rasa",
        "Your Rasa assistant answers contacts.",
        told=_named(lambda settings: settings.bots.rasa, rasaWebhookUrl="webhook_url"),
        needs=("rasaWebhookUrl",),
    ),
    Component(
        "cognigy-connector",
        "Cognigy",
        "Your Cognigy flow answers contacts.",
        told=_named(
            lambda settings: settings.bots.cognigy,
            cognigyRestEndpointURL="rest_endpoint_url",
            cognigyUserId="user_id",
        ),
        needs=("cognigyRestEndpointURL",),
    ),
    Component(
        "ibm-watson-assistant-connector",
        "IBM Watson Assistant",
        "Your Watson assistant answers contacts.",
        told=_named(
            lambda settings: settings.bots.ibm_watson_assistant,
            ibmWatsonAssistantURL="url",
            ibmWatsonAssistantApiKey="api_key",
            ibmWatsonAssistantAssistantId="assistant_id",
        ),
        needs=("ibmWatsonAssistantURL",),
    ),
    Component(
        "openai-connector",
        "OpenAI and the like",
        "A language model answers contacts, or proposes answers to you.",
        told=_named(
            lambda settings: settings.bots.openai,
            openaiUrl="url",
            openaiModel="model",
            openaiApiKey="api_key",
            openaiMode="mode",
        ),
        needs=("openaiUrl",),
    ),
)

COMPONENTS = tuple(each for each in _ALL if each.hook is None or each.hook in HOOKS)
"""What there is. A new part of the platform adds its line above."""


async def list_components(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Return all components, by name."""
    listed = {each.name: _shown(each) for each in COMPONENTS}
    return Response(body=json_text.encode({"components": listed}))


async def get_components(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Return how each component is set up, by name; secrets are masked."""
    told = {each.name: _settings(each, platform.settings) for each in COMPONENTS}
    return Response(body=json_text.encode({"components": told}))


async def services(platform: Platform) -> dict[str, dict[str, Any]]:
    """Return the services of all components, and whether each can do its work now."""
    is_up = not unreadable(platform)
    told = {}
    for each in COMPONENTS:
        is_healthy = is_up
        if each.name == "media-resolver":
            is_healthy = await platform.media.is_reachable()
        for service in each.services or (each.name,):
            told[service] = {
                "enabled": each.is_enabled(platform.settings),
                "healthy": is_healthy,
                "component": each.name,
            }
    return told


def masked(key: str, value: str) -> str:
    """Return a setting as it may be shown: of a secret, little more than that it is there."""
    if key == _SERVICE_ACCOUNT:
        return "<service account keys>"
    if not any(word in key.lower() for word in _MASKED):
        return value
    if len(value) < _SHORT:
        return "..."
    return value[: 4 if len(value) > _LONG else 1] + "..."


def _settings(component: Component, settings: Settings) -> dict[str, str]:
    return {
        key: masked(key, value.get_secret_value() if isinstance(value, SecretStr) else str(value))
        for key, value in component.told(settings).items()
        if value is not None
    }


def _shown(component: Component) -> dict[str, str | None]:
    about = f"<p>{component.about}</p>"
    fields = dict.fromkeys(component.told(Settings()), "")
    return {
        "name": component.name,
        "displayName": component.title,
        "description": about,
        "descriptionDE": about,
        "descriptionFR": about,
        "descriptionES": about,
        "category": "Channel" if component.is_channel else "Platform",
        "price": "Free",
        "availableFor": None,
        "docs": None,
        "source": component.name.partition("-")[2] if component.is_channel else None,
        "repository": "airy-ray",
        "isChannel": "true" if component.is_channel else None,
        "isApp": None,
        "internalUI": None,
        "configurationValues": json_text.encode(fields).decode(),
        "installationStatus": "installed",
    }


ENDPOINTS = [
    Endpoint(
        "/components.list",
        list_components,
        Nothing,
        "List components",
        platform_shapes.Components,
        may_be_empty=True,
    ),
    Endpoint(
        "/components.get",
        get_components,
        Nothing,
        "Get components' settings",
        platform_shapes.ComponentSettings,
        may_be_empty=True,
    ),
]
