"""A run without traffic: people play the customers, on a page."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random

from airy_ray.simulator.connecting import Channels
from airy_ray.simulator.gates import Gates
from airy_ray.simulator.graph_api import GraphServer
from airy_ray.simulator.hooks import hooks
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import Inbox
from airy_ray.simulator.oracle import Oracle
from airy_ray.simulator.page import PICTURE, Page
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.playing import Playing
from airy_ray.simulator.postman import Postman
from airy_ray.simulator.retries import Retries
from airy_ray.simulator.simulation import Target
from airy_ray.simulator.traffic import Cast

_CONNECTIONS = 16


async def play(
    target: Target,
    named: Cast,
    platforms: Platforms,
    port: int,
    *,
    give_up_s: float,
    silent: Mapping[str, str],
    when_open: Callable[[int], None],
) -> None:
    """Connect channels, and serve the page beside the platforms' APIs until it is stopped.

    On the main thread SIGINT and SIGTERM stop it.

    `port` 0 is any that is free; `when_open` is told which, once the page can be used. `silent`
    says of sources why no answers come from them.

    Raises:
        ApiError: the platform does not let channels be connected.
        OSError: it cannot listen at `port`.
    """
    async with HttpClient(target.url, connections=_CONNECTIONS) as http:
        hooked = hooks(target.secrets, target.called_at or target.url)
        retries = Retries(Random(named.run), give_up_s=give_up_s)  # noqa: S311 - no secret
        postman = Postman(http, retries, Oracle(), Gates(), hooked)
        playing = Playing(named, platforms, postman, picture_url=target.played_at + PICTURE)
        page = Page(playing, silent)
        routes = [*page.routes(), *platforms.routes]
        server = GraphServer(platforms.graph, port, routes, on_stop=playing.stage.close)
        inbox = Inbox(http, retries, token=target.token)
        channels = Channels(inbox, named, hooked, platforms, target.played_at)
        serving = asyncio.create_task(server.serve_here())
        connecting = asyncio.create_task(channels.connect())
        try:
            await asyncio.wait({serving, connecting}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
                page.is_open = True
                when_open(server.port)
                await asyncio.wait({serving})  # who is cancelled here has it stop in order
        finally:
            connecting.cancel()
            server.stop()
            await serving
