"""The APIs of all platforms, played at one address; and what a run connects with."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.routing import Route

from airy_ray.simulator import (
    action_endpoint,
    custom,
    google_api,
    instagram,
    messenger,
    telegram,
    telegram_api,
    twilio,
    twilio_api,
    viber,
    viber_api,
    whatsapp,
)
from airy_ray.simulator.graph_api import GraphApi
from airy_ray.simulator.hooks import Hook, Secrets, telegram_hook
from airy_ray.simulator.intake import Intake
from airy_ray.simulator.traffic import Cast

PHONE_NUMBER = "106540352242922"
"""One of WhatsApp's that is there in all runs."""


class Platforms:
    """Everything that a system under test may call.

    Args:
        apps: id and secret of apps of Meta beside the one of the cast.
        account_sid: of the account at Twilio.
        google_account: the JSON of Google's service account, if one was given out before.
    """

    def __init__(
        self,
        named: Cast,
        secrets: Secrets,
        *,
        apps: Collection[tuple[str, str]] = (),
        account_sid: str = "",
        google_account: str = "",
    ) -> None:
        number, bot = named.channels.get(whatsapp.SOURCE), named.channels.get(telegram.SOURCE)
        self.graph = GraphApi(
            named.pages,
            app_id=named.app_id,
            app_secret=secrets.app_secret,
            phone_numbers=[PHONE_NUMBER, *([number] if number else [])],
            other_apps=apps,
        )
        self.google = google_api.GoogleApi(google_account)
        self.viber = viber_api.ViberApi(secrets.viber_token)
        self.bot_token = f"{bot}:AAH-simulated" if bot else telegram_api.BOT_TOKEN
        self.telegram = telegram_api.TelegramApi(telegram_api.BOT_TOKEN, self.bot_token)
        self.twilio = twilio_api.TwilioApi(account_sid, secrets.twilio_token)
        self.program = action_endpoint.ActionEndpoint()

    def intakes(self, named: Cast, *, has_twilio: bool) -> dict[str, Intake]:
        """Return where messages arrive that the system sends to a run's contacts, by source."""
        graph = self.graph.intake
        known = {
            messenger.SOURCE: graph,
            instagram.SOURCE: graph,
            whatsapp.SOURCE: graph,
            viber.SOURCE: self.viber.intake,
            telegram.SOURCE: self.telegram.intake,
        }
        if has_twilio:
            known |= dict.fromkeys((twilio.SMS, twilio.WHATSAPP), self.twilio.intake)
        played = {messenger.SOURCE, *named.channels}
        found = {source: intake for source, intake in known.items() if source in played}
        is_custom = custom.SOURCE in named.channels
        return found | ({named.program: self.program.intake} if is_custom else {})

    @property
    def routes(self) -> list[Route]:
        """Where they are served, beside those of the Graph API."""
        return [
            *google_api.routes(self.google),
            *viber_api.routes(self.viber),
            *telegram_api.routes(self.telegram),
            *twilio_api.routes(self.twilio),
            *action_endpoint.routes(self.program),
        ]

    def telegram_hook(self) -> Hook:
        """Return where the updates of the run's bot go, once it is connected."""
        webhook = self.telegram.webhooks[self.bot_token.partition(":")[0]]
        return telegram_hook(urlsplit(webhook["url"]).path, webhook["secret_token"])
