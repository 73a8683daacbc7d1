"""`airy-ray simulate`: the messaging platforms, played against a running system."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop
from pydantic import SecretStr

from airy_ray.cli.client import address, system_token
from airy_ray.cli.output import console, error_console, fail, print_json, print_table
from airy_ray.clock import now_millis
from airy_ray.config import Settings, Telegram, Viber, Whatsapp, is_loopback, load
from airy_ray.errors import ConfigError
from airy_ray.simulator import (
    action_endpoint,
    custom,
    google_api,
    instagram,
    telegram,
    telegram_api,
    twilio,
    viber,
    whatsapp,
)
from airy_ray.simulator.graph_api import USER_TOKEN, GraphServer
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import ApiError
from airy_ray.simulator.platforms import PHONE_NUMBER, Platforms
from airy_ray.simulator.report import Report
from airy_ray.simulator.simulation import Simulation, Target, run
from airy_ray.simulator.traffic import Cast, Shape, Traffic, cast

_CONNECTIONS = 64
_SHOWN_S = 0.5


def simulate(
    url: Annotated[str | None, typer.Option(help="The running system; as configured.")] = None,
    config: Annotated[Path | None, typer.Option(help="Its settings; airy.yaml if there.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 200,
    duration: Annotated[float, typer.Option(min=0, help="Seconds of traffic.")] = 30,
    conversations: Annotated[int, typer.Option(min=1, help="People in each source.")] = 50,
    pages: Annotated[int, typer.Option(min=1, help="Facebook pages.")] = 2,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share of requests made twice.")
    ] = 0.1,
    disorder: Annotated[
        float, typer.Option(min=0, max=1, help="Share of webhooks up to 3 s late.")
    ] = 0.1,
    batches: Annotated[
        float, typer.Option(min=0, max=1, help="Share of bodies with many items, where they may.")
    ] = 0.15,
    reads: Annotated[
        float, typer.Option(min=0.01, help="Conversations marked as read a second.")
    ] = 2,
    answers: Annotated[float, typer.Option(min=0, help="Conversations answered a second.")] = 2,
    seed: Annotated[int, typer.Option(help="The same seed, the same traffic.")] = 1,
    give_up_after: Annotated[
        float, typer.Option(min=0, help="Seconds until a request is not retried any more.")
    ] = 60,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds within which all must be found.")
    ] = 30,
    platform_port: Annotated[
        int | None, typer.Option(help="Where Meta's API is played; as sources.facebook.api_url.")
    ] = None,
    *,
    platform_only: Annotated[
        bool, typer.Option("--platform-only", help="Only play the platforms' APIs, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Report for programs.")] = False,
) -> None:
    """Play all sources and website visitors: send traffic, answer some, then find all of it again.

    Facebook, Instagram, Google, a custom source and a website are always played; others are whose
    secret is set and whose `api_url` is that of Facebook.

    Exit code 0: every acknowledged message was found exactly once, in order, with exact unread
    counts, and every answer was taken by its platform exactly once. 1: something was not. 2: the
    traffic could not be sent.
    """
    began_at = now_millis()
    try:
        settings = load({}, file=config)
        target = _target(settings, url)
        others, left_out = _others(settings)
        app_id = settings.sources.facebook.app_id or ""
        named = cast(seed, began_at, pages=pages, app_id=app_id, others=others)
        port = platform_port or _configured_port(settings)
    except ConfigError as error:
        fail(error)
    platforms = _platforms(named, target, settings)
    if platform_only:
        _play(platforms, named, port)
        return
    for each in left_out:
        error_console.print(f"not played: {each}", style="dim", markup=False, highlight=False)

    shape = Shape(rate, duration, conversations, pages, duplicates, disorder, batches)
    traffic = Traffic(shape, named, seed=seed, began_at=began_at)
    try:
        with GraphServer(platforms.graph, port, platforms.routes):
            report = uvloop.run(
                _run(
                    target,
                    platforms,
                    traffic,
                    seed,
                    reads=reads,
                    answers=answers,
                    give_up=give_up_after,
                    settle=settle,
                )
            )
    except (ApiError, OSError) as error:
        fail(error)
    _tell(report, as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(1)


async def _run(
    target: Target,
    platforms: Platforms,
    traffic: Traffic,
    seed: int,
    *,
    reads: float,
    answers: float,
    give_up: float,
    settle: float,
) -> Report:
    """Send the traffic, showing how far it is, and find it again."""
    async with HttpClient(target.url, connections=_CONNECTIONS) as http:
        simulation = Simulation(
            http, target, traffic.named, seed=seed, give_up_s=give_up, platforms=platforms
        )
        showing = asyncio.create_task(_show(simulation))
        try:
            return await run(
                simulation,
                traffic.planned(),
                seed=seed,
                reads_per_s=reads,
                settle_s=settle,
                answers_per_s=answers,
            )
        finally:
            showing.cancel()


def _target(settings: Settings, url: str | None) -> Target:
    """Return the system under test, with the secrets that it shares with the platforms."""
    sources = settings.sources
    if not (sources.facebook.app_id or "").isdecimal():
        raise ConfigError("sources.facebook.app_id: is needed to tell own echoes, and is a number")
    if sources.facebook.app_secret is None:
        raise ConfigError("sources.facebook.app_secret: is needed to sign webhooks")
    if sources.google.partner_key is None:
        raise ConfigError("sources.google.partner_key: is needed to sign webhooks")
    secrets = Secrets(
        app_secret=_text(sources.facebook.app_secret),
        partner_key=_text(sources.google.partner_key),
        whatsapp_secret=_text(sources.whatsapp.app_secret),
        twilio_token=_text(sources.twilio.auth_token),
        viber_token=_text(sources.viber.auth_token),
    )
    here, account_sid = sources.facebook.api_url.rstrip("/"), sources.twilio.account_sid
    return Target(
        url=address(settings, url),
        secrets=secrets,
        token=system_token(settings),
        called_at=settings.http.public_url,
        played_at=here,
        has_twilio=bool(account_sid) and sources.twilio.api_url.rstrip("/") == here,
    )


def _others(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the other sources that can be played, and why the rest cannot."""
    sources = settings.sources
    here = sources.facebook.api_url.rstrip("/")
    by_twilio = "" if sources.twilio.auth_token else "sources.twilio.auth_token is not set"
    wanting = {
        instagram.SOURCE: "",
        whatsapp.SOURCE: _wanting("whatsapp", sources.whatsapp, here, "app_secret"),
        twilio.SMS: by_twilio,
        twilio.WHATSAPP: by_twilio,
        viber.SOURCE: _wanting("viber", sources.viber, here, "auth_token"),
        telegram.SOURCE: _wanting("telegram", sources.telegram, here),
        custom.SOURCE: "",
    }
    played = [source for source, why in wanting.items() if not why]
    return played, [f"{source}: {why}" for source, why in wanting.items() if why]


def _wanting(
    hook: str, section: Whatsapp | Viber | Telegram, here: str, secret: str | None = None
) -> str:
    """Return what keeps a source from being played; nothing if it can be."""
    if secret is not None and getattr(section, secret) is None:
        return f"sources.{hook}.{secret} is not set"
    if section.api_url.rstrip("/") != here:
        return f"sources.{hook}.api_url is not {here}"
    return ""


def _platforms(named: Cast, target: Target, settings: Settings) -> Platforms:
    """Return the APIs of all platforms, with the channels of this run in them."""
    app = settings.sources.whatsapp
    return Platforms(
        named,
        target.secrets,
        apps=[(app.app_id or "", target.secrets.whatsapp_secret)],
        account_sid=settings.sources.twilio.account_sid or "",
    )


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _configured_port(settings: Settings) -> int:
    """Return the port at which the system calls Meta's API, if that is on this machine."""
    parts = urlsplit(settings.sources.facebook.api_url)
    if parts.port is None or not is_loopback(parts.hostname or ""):
        raise ConfigError(
            "sources.facebook.api_url: has to be an address of this machine, such as "
            "http://127.0.0.1:8099, so that the system calls the simulator and not Meta"
        )
    return parts.port


def _play(platforms: Platforms, named: Cast, port: int) -> None:
    """Play the platforms' APIs, all at one address, until Ctrl-C."""
    try:
        server = GraphServer(platforms.graph, port, platforms.routes)
    except OSError as error:
        fail(error)
    here = f"http://127.0.0.1:{port}"
    print_table(
        ["what to connect with", ""],
        [
            ("page_token, user_token", USER_TOKEN),
            *(("page_id", page) for page in named.pages),
            ("phone_number_id", PHONE_NUMBER),
            ("bot_token", telegram_api.BOT_TOKEN),
            ("sa_file", f"what is at {here}{google_api.ACCOUNT_PATH}"),
            ("action_endpoint", f"{here}{action_endpoint.PATH}"),
        ],
    )
    console.print(f"The platforms' APIs are played at {here}; Ctrl-C stops it", style="dim")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve()


async def _show(simulation: Simulation) -> None:
    """Show how far a run is, until cancelled."""
    progress = simulation.progress
    with error_console.status("connecting") as status:
        while True:
            await asyncio.sleep(_SHOWN_S)
            late = f", {progress.behind_s:.1f} s late" if progress.behind_s > 1 else ""
            acked = len(simulation.webhooks.answers.acks) + len(simulation.visits.answers.acks)
            status.update(
                f"{progress.begun:,} requests begun{late}, {acked:,} acknowledged, "
                f"{progress.underway:,} underway"
            )


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    print_table(["simulated", ""], report.rows())
    for example in report.verdict.examples:
        error_console.print(example, style="red", markup=False, highlight=False)
