"""Channels of a run: connected by the API, as who runs the system would do it by hand."""

from typing import Any

from airy_ray.simulator import (
    action_endpoint,
    business_messages,
    custom,
    instagram,
    messenger,
    telegram,
    viber,
    website,
    whatsapp,
)
from airy_ray.simulator.graph_api import USER_TOKEN
from airy_ray.simulator.hooks import Hook, custom_hook
from airy_ray.simulator.inbox import Inbox
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.traffic import Cast


class Channels:
    """Connects them; `hooks` learn what is only known then.

    Args:
        platforms: where they are; needed if the cast has other sources.
        played_at: the address of these.
    """

    def __init__(
        self,
        inbox: Inbox,
        named: Cast,
        hooks: dict[str, Hook],
        platforms: Platforms | None,
        played_at: str,
    ) -> None:
        self._inbox = inbox
        self._named = named
        self._hooks = hooks
        self._platforms = platforms
        self._played_at = played_at

    async def website(self) -> str:
        """Connect the website; return its id.

        Raises:
            ApiError: the platform refuses, or does not answer.
        """
        return await self._connect(website.SOURCE, name=self._named.site)

    async def connect(self) -> dict[str, list[str]]:
        """Connect the channels of all platforms; return their ids, by source.

        Raises:
            ApiError: the platform refuses, or does not answer.
        """
        named = self._named
        pages = [
            await self._connect(messenger.SOURCE, page_id=page, page_token=USER_TOKEN)
            for page in named.pages
        ]
        agent = await self._connect(
            business_messages.SOURCE, gbm_id=named.agent, name="Simulated agent"
        )
        others = {source: [await self._connect_other(source)] for source in named.channels}
        return {messenger.SOURCE: pages, business_messages.SOURCE: [agent], **others}

    async def _connect_other(self, source: str) -> str:
        named, platforms = self._named, self._platforms
        channel, name = named.channels[source], f"Simulated {source}"
        assert platforms is not None  # who casts other sources plays them
        match source:
            case instagram.SOURCE:
                page = {"page_id": named.pages[0], "page_token": USER_TOKEN}
                return await self._connect(source, account_id=channel, **page)
            case whatsapp.SOURCE:
                number = {"phone_number_id": channel, "user_token": USER_TOKEN}
                return await self._connect(source, name=name, **number)
            case telegram.SOURCE:
                identifier = await self._connect(source, bot_token=platforms.bot_token)
                self._hooks[source] = platforms.telegram_hook()
                return identifier
            case viber.SOURCE:
                return await self._connect(source, name=name)
            case custom.SOURCE:
                return await self._connect_custom(platforms)
            case _:
                return await self._connect(source, phone_number=channel, name=name)

    async def _connect_custom(self, platforms: Platforms) -> str:
        """Make the custom source, whose program answers here, and a channel of it."""
        run, program = self._named.run, self._named.program
        asked = {"source_id": program, "action_endpoint": self._played_at + action_endpoint.PATH}
        made = await self._inbox.call("/sources.create", asked, key=f"{run}-source")
        token: str = made["token"]
        platforms.program.token = token
        self._hooks[custom.SOURCE] = custom_hook(token)
        channel = {"source_channel_id": custom.CHANNEL, "name": "Simulated channel"}
        told = await self._inbox.call(
            "/sources.channels.create", channel, key=f"{run}-channel", token=token
        )
        identifier: str = told["id"]
        return identifier

    async def _connect(self, source: str, **asked: str) -> str:
        key = f"{self._named.run}-connect-{'-'.join(asked.values())}"
        told: Any = await self._inbox.call(f"/channels.{source}.connect", asked, key=key)
        identifier: str = told["id"]
        return identifier
