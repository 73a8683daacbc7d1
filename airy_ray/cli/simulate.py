"""`airy-ray simulate`: the messaging platforms, played against a running system."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from airy_ray.cli import simulated
from airy_ray.cli.output import console, error_console, fail, print_json, print_table
from airy_ray.clock import now_millis
from airy_ray.config import load
from airy_ray.errors import ConfigError
from airy_ray.simulator import (
    action_endpoint,
    google_api,
    telegram_api,
)
from airy_ray.simulator.graph_api import USER_TOKEN, GraphServer
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import ApiError
from airy_ray.simulator.interactive import play
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
    page: Annotated[
        bool, typer.Option("--page", help="Play the customers yourself, on a page, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Report for programs.")] = False,
) -> None:
    """Play all sources and website visitors: send traffic, answer some, then find all of it again.

    Facebook, Instagram, Google, a custom source and a website are always played; others are whose
    secret is set and whose `api_url` is that of Facebook. On the page, all but the website are.

    Exit code 0: every acknowledged message was found exactly once, in order, with exact unread
    counts, and every answer was taken by its platform exactly once. 1: something was not. 2: the
    traffic could not be sent.
    """
    began_at = now_millis()
    try:
        settings = load({}, file=config)
        target = simulated.target(settings, url)
        others, left_out = simulated.others(settings)
        app_id = settings.sources.facebook.app_id or ""
        named = cast(seed, began_at, pages=pages, app_id=app_id, others=others)
        port = platform_port or simulated.configured_port(settings)
    except ConfigError as error:
        fail(error)
    platforms = simulated.platforms(named, target, settings)
    if platform_only:
        _play(platforms, named, port)
        return
    for each in left_out:
        error_console.print(f"not played: {each}", style="dim", markup=False, highlight=False)
    if page:
        silent = simulated.silent_sources(settings, target, named)
        _show_page(target, named, platforms, port, give_up_s=give_up_after, silent=silent)
        return

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


def _show_page(
    target: Target,
    named: Cast,
    platforms: Platforms,
    port: int,
    *,
    give_up_s: float,
    silent: Mapping[str, str],
) -> None:
    """Serve the page, until Ctrl-C."""

    def tell_where(port: int) -> None:
        url = f"http://127.0.0.1:{port}/"
        console.print(f"Play the customers at {url}; Ctrl-C stops it", style="dim")

    for source, why in silent.items():
        told = f"no answers come from {source}: {why}"
        error_console.print(told, style="dim", markup=False, highlight=False)
    playing = play(
        target, named, platforms, port, give_up_s=give_up_s, silent=silent, when_open=tell_where
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(playing)
    except (ApiError, OSError) as error:
        fail(error)


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
