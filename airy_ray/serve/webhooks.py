"""Webhooks: what platforms post, on disk before they are told ok (design: §6).

Verify over the exact bytes, find the conversations, append to the log, answer. Nothing else stands
before the 200: no projection, no actor, no other service.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from airy_ray.clock import now_micros
from airy_ray.cluster.layout import Layout
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.machine import Machine, machine_spec
from airy_ray.cluster.registry import known_channel
from airy_ray.config import Settings, Sources
from airy_ray.errors import AiryError, DamagedError, RequestError, StateError
from airy_ray.garbage import collect_seldom
from airy_ray.model import json_text
from airy_ray.model.channel import Channel, default_name
from airy_ray.model.events import Place
from airy_ray.model.ids import ChannelId, channel_id, owner_of
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.serve import problems
from airy_ray.serve.api.public_url import public_url
from airy_ray.serve.http import (
    TEXT,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    path_below,
    read_request,
    respond,
    run_lifespan,
)
from airy_ray.serve.metrics import WebhookMetrics
from airy_ray.serve.side_calls import SideCalls
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.meta import handshake
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram, webhook_secret
from airy_ray.sources.telegram_sending import answer_to_press
from airy_ray.sources.twilio import FORM, JSON, Twilio
from airy_ray.sources.viber import Account, Viber
from airy_ray.sources.whatsapp import Whatsapp

logger = logging.getLogger(__name__)

PREFIX = "/webhooks"
HOOKS = ("facebook", "google", "twilio", "viber", "telegram", "whatsapp")
"""The hooks that are served, at `/webhooks/<hook>` and, as the reference has it, at `/<hook>`.

Each bot of Telegram has a path of its own below that.
"""

_NEED_URL = {Telegram.hook, Twilio.hook}
"""Those whose bodies don't say all: whose bot it is, or what was signed, is in the address."""

_TAKEN = Response(200)
_REFUSED = Response(403)
_NOTHING_TO_SAY = Response(200, b"<Response></Response>", b"text/xml")
"""What Twilio is to answer to the sender: nothing."""


class Hooks:
    """Takes the requests of all platforms, for any application that serves them."""

    def __init__(self, settings: Settings, machine: Machine) -> None:
        self._machine = machine
        self._count = machine.spec.count
        self._settings = settings
        self._sources = configured(settings.sources, self._viber_account, self._bot_secret)
        self._side_calls = SideCalls()
        self._verify_tokens = _verify_tokens(settings.sources)
        self._metrics = WebhookMetrics()
        for hook in HOOKS:
            if hook not in self._sources:
                logger.warning("source %s has no secret: its webhooks are refused", hook)

    async def handle(self, hook: str, request: Request) -> Response:
        """Take one request of a platform; never raises our own errors."""
        began = time.perf_counter()
        try:
            response = await self._handle(hook, request)
        except AiryError as error:
            response = problems.answer(error)
        self._metrics.observe(hook, response.status, time.perf_counter() - began)
        return response

    async def _handle(self, hook: str, request: Request) -> Response:
        if hook not in HOOKS:
            raise RequestError(404, "no such webhook")
        if request.method == "GET" and hook in self._verify_tokens:
            challenge = handshake(request.query, self._verify_tokens[hook])
            return _REFUSED if challenge is None else Response(200, challenge.encode(), TEXT)
        if request.method != "POST":
            raise RequestError(405, "webhooks are posted")
        source = self._sources.get(hook)
        if source is None:
            return _REFUSED
        if isinstance(source, Google) and b"clientToken" in request.body:
            secret = source.handshake(request.body)
            if secret is not None:
                return Response(200, secret.encode(), TEXT)
        if hook == Twilio.hook and not is_form_or_json(request):
            raise RequestError(415, f"the body is to be {FORM}")
        url = self._url(request) if hook in _NEED_URL else ""
        webhook = Webhook(request.body, request.headers, url)
        source.verify(webhook)
        await self._store(source, webhook)
        if isinstance(source, Telegram):
            self._answer_press(source, webhook)
        return _answer(source, webhook)

    async def close(self) -> None:
        """Give up calls that nobody waits for."""
        await self._side_calls.close()

    def _url(self, request: Request) -> str:
        """Return the URL that was called, as the caller knows it."""
        url = public_url(self._settings, request.headers) + request.path
        query = request.query_string.decode("latin-1")
        return f"{url}?{query}" if query else url

    def _viber_account(self) -> Account | None:
        """Return the account that is connected, or was last; None while there is none."""
        try:
            known = self._machine.registry.channels_of(Viber.hook)
        except (StateError, DamagedError):
            return None
        channel = max(known, key=lambda each: (each.connected, each.changed_at), default=None)
        if channel is None:
            return None
        told = json_text.decode(channel.metadata)
        name = told.get("name") or default_name(channel.source, channel.id)
        return Account(channel.source_channel_id, name, told.get("image_url"))

    def _bot_secret(self, bot: str) -> str | None:
        """Return what Telegram proves with that an update of a bot comes from it."""
        token = self._bot_token(bot)
        return None if token is None else webhook_secret(token)

    def _bot_token(self, bot: str) -> str | None:
        """Return the token of a bot that is connected.

        Raises:
            StateError, DamagedError: the registry cannot be read now.
        """
        channel = self._machine.registry.channel(channel_id(Telegram.hook, bot))
        return None if channel is None else channel.token

    def _answer_press(self, source: Telegram, webhook: Webhook) -> None:
        """Have Telegram end the waiting of who has pressed a button."""
        pressed = source.pressed(webhook)
        token = None if pressed is None else self._bot_token(pressed[0])
        if pressed is not None and token is not None:
            api_url = self._settings.sources.telegram.api_url
            self._side_calls.begin(answer_to_press(api_url, token, pressed[1]))

    async def _store(self, source: Source, webhook: Webhook) -> None:
        record = record_of(source, webhook, self._channel, now_micros(), self._alias)
        appended = [
            self._machine.appender.append(partition, record)
            for partition in partitions_of(record, self._count)
        ]
        if len(appended) == 1:
            await appended[0]
        else:
            await asyncio.gather(*appended)

    def _channel(self, identifier: ChannelId) -> Channel | None:
        return known_channel(self._machine.registry, identifier)

    def _alias(self, alias: bytes) -> Place | None:
        """Return where an alias leads; nowhere while its partition cannot be read."""
        try:
            with self._machine.partitions[owner_of(alias, self._count)].reader.read() as view:
                return view.alias(alias)
        except (StateError, DamagedError):
            return None


class Webhooks:
    """The application that serves only webhooks, so that nothing else can hold them up."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._machine: Machine | None = None
        self._hooks: Hooks | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or the application's lifespan (ASGI)."""
        if scope["type"] == "http":
            await respond(send, await self._answer(scope, receive))
        elif scope["type"] == "lifespan":
            await run_lifespan(receive, send, start=self._start, stop=self._stop)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        assert self._hooks is not None  # requests come after the start
        try:
            request = await read_request(
                scope, receive, body_bytes_max=self._settings.limits.body_bytes
            )
        except RequestError as error:
            return problems.answer(error)
        path = path_below(scope, PREFIX).strip("/")
        if path == "health":
            return _TAKEN
        return await self._hooks.handle(hook_of(path) or path, request)

    async def _start(self) -> None:
        log_to_stderr()
        self._machine = Machine(machine_spec(self._settings, self._layout))
        self._hooks = Hooks(self._settings, self._machine)
        collect_seldom()

    async def _stop(self) -> None:
        if self._hooks is not None:
            await self._hooks.close()
        if self._machine is not None:
            self._machine.close()


def hook_of(path: str) -> str | None:
    """Return the hook that a path leads to, None if it leads to none."""
    hook, _, bot = path.strip("/").partition("/")
    return hook if hook in HOOKS and bool(bot) == (hook == Telegram.hook) else None


def is_form_or_json(request: Request) -> bool:
    """Whether a body says that it is of a kind that Twilio sends."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in (FORM, JSON)


def _answer(source: Source, webhook: Webhook) -> Response:
    """Return what a platform is told once its webhook is stored."""
    if isinstance(source, Twilio):
        return _NOTHING_TO_SAY
    welcome = source.welcome(webhook) if isinstance(source, Viber) else None
    return _TAKEN if welcome is None else Response(200, welcome)


def configured(
    sources: Sources,
    viber_account: Callable[[], Account | None],
    bot_secret: Callable[[str], str | None],
) -> Mapping[str, Source]:
    """Return the sources that have what it takes to verify their webhooks, by hook."""
    found: dict[str, Source] = {Telegram.hook: Telegram(bot_secret)}
    facebook, google = sources.facebook, sources.google
    twilio, viber, whatsapp = sources.twilio, sources.viber, sources.whatsapp
    if facebook.app_secret is not None:
        found[Facebook.hook] = Facebook(
            facebook.app_secret.get_secret_value(),
            app_id=facebook.app_id,
            allow_legacy_sha1=facebook.allow_legacy_sha1,
        )
    if google.partner_key is not None:
        found[Google.hook] = Google(google.partner_key.get_secret_value())
    if twilio.auth_token is not None:
        found[Twilio.hook] = Twilio(twilio.auth_token.get_secret_value())
    if viber.auth_token is not None:
        found[Viber.hook] = Viber(
            viber.auth_token.get_secret_value(),
            viber_account,
            welcome_message=viber.welcome_message,
        )
    if whatsapp.app_secret is not None:
        found[Whatsapp.hook] = Whatsapp(
            whatsapp.app_secret.get_secret_value(),
            allow_legacy_sha1=whatsapp.allow_legacy_sha1,
        )
    return found


def _verify_tokens(sources: Sources) -> dict[str, str | None]:
    """Return what Meta's handshakes have to name, by hook."""
    secrets = {
        Facebook.hook: sources.facebook.webhook_secret,
        Whatsapp.hook: sources.whatsapp.webhook_secret,
    }
    return {
        hook: None if secret is None else secret.get_secret_value()
        for hook, secret in secrets.items()
    }
