"""`airy-ray simulate`: the messaging platforms, played against a running system."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from airy_ray.cli.client import address, system_token
from airy_ray.cli.output import console, error_console, fail, print_json, print_table
from airy_ray.clock import now_millis
from airy_ray.config import Settings, is_loopback, load
from airy_ray.errors import ConfigError
from airy_ray.simulator import telegram_api, viber_api
from airy_ray.simulator.graph_api import USER_TOKEN, GraphApi, GraphServer
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import ApiError
from airy_ray.simulator.report import Report
from airy_ray.simulator.simulation import Simulation, Target, run
from airy_ray.simulator.traffic import Cast, Shape, Traffic, cast

_CONNECTIONS = 64
_PHONE_NUMBER = "106540352242922"
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
        float, typer.Option(min=0, max=1, help="Share of Facebook's bodies with many items.")
    ] = 0.15,
    reads: Annotated[
        float, typer.Option(min=0.01, help="Conversations marked as read a second.")
    ] = 2,
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
    """Play Facebook, Google and website visitors: send traffic, then find all of it again.

    Exit code 0: every acknowledged message was found exactly once, in order, with exact unread
    counts. 1: something was not. 2: the traffic could not be sent.
    """
    began_at = now_millis()
    try:
        settings = load({}, file=config)
        target = _target(settings, url)
        named = cast(seed, began_at, pages=pages, app_id=settings.sources.facebook.app_id or "")
        port = platform_port or _configured_port(settings)
    except ConfigError as error:
        fail(error)
    graph = _graph(named, target)
    if platform_only:
        _play(graph, named, port, settings)
        return

    shape = Shape(rate, duration, conversations, pages, duplicates, disorder, batches)
    traffic = Traffic(shape, named, seed=seed, began_at=began_at)
    try:
        with GraphServer(graph, port):
            report = uvloop.run(
                _run(target, named, traffic, seed, reads, give_up=give_up_after, settle=settle)
            )
    except (ApiError, OSError) as error:
        fail(error)
    _tell(report, as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(1)


async def _run(
    target: Target,
    named: Cast,
    traffic: Traffic,
    seed: int,
    reads: float,
    *,
    give_up: float,
    settle: float,
) -> Report:
    """Send the traffic, showing how far it is, and find it again."""
    async with HttpClient(target.url, connections=_CONNECTIONS) as http:
        simulation = Simulation(http, target, named, seed=seed, give_up_s=give_up)
        showing = asyncio.create_task(_show(simulation))
        try:
            return await run(
                simulation, traffic.planned(), seed=seed, reads_per_s=reads, settle_s=settle
            )
        finally:
            showing.cancel()


def _target(settings: Settings, url: str | None) -> Target:
    """Return the system under test, with the secrets that it shares with the platforms."""
    facebook, google = settings.sources.facebook, settings.sources.google
    if not (facebook.app_id or "").isdecimal():
        raise ConfigError("sources.facebook.app_id: is needed to tell own echoes, and is a number")
    if facebook.app_secret is None:
        raise ConfigError("sources.facebook.app_secret: is needed to sign webhooks")
    if google.partner_key is None:
        raise ConfigError("sources.google.partner_key: is needed to sign webhooks")
    return Target(
        url=address(settings, url),
        app_secret=facebook.app_secret.get_secret_value(),
        partner_key=google.partner_key.get_secret_value(),
        token=system_token(settings),
    )


def _graph(named: Cast, target: Target) -> GraphApi:
    """Return Meta's API, with the pages of this run in it."""
    return GraphApi(
        named.pages,
        app_id=named.app_id,
        app_secret=target.app_secret,
        phone_numbers=[_PHONE_NUMBER],
    )


def _configured_port(settings: Settings) -> int:
    """Return the port at which the system calls Meta's API, if that is on this machine."""
    parts = urlsplit(settings.sources.facebook.api_url)
    if parts.port is None or not is_loopback(parts.hostname or ""):
        raise ConfigError(
            "sources.facebook.api_url: has to be an address of this machine, such as "
            "http://127.0.0.1:8099, so that the system calls the simulator and not Meta"
        )
    return parts.port


def _play(graph: GraphApi, named: Cast, port: int, settings: Settings) -> None:
    """Play the APIs of Meta, Viber and Telegram, all at one address, until Ctrl-C."""
    token = settings.sources.viber.auth_token
    viber = viber_api.ViberApi("" if token is None else token.get_secret_value())
    telegram = telegram_api.TelegramApi(telegram_api.BOT_TOKEN)
    others = [*viber_api.routes(viber), *telegram_api.routes(telegram)]
    try:
        server = GraphServer(graph, port, others)
    except OSError as error:
        fail(error)
    print_table(
        ["what to connect with", ""],
        [
            ("page_token, user_token", USER_TOKEN),
            *(("page_id", page) for page in named.pages),
            ("phone_number_id", _PHONE_NUMBER),
            ("bot_token", telegram_api.BOT_TOKEN),
        ],
    )
    console.print(
        f"The platforms' APIs are played at http://127.0.0.1:{port}; Ctrl-C stops it", style="dim"
    )
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
