"""`airy-ray up`: the whole platform on this machine, in the foreground."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, NoReturn

import httpx
import typer

from airy_ray.cli.client import address
from airy_ray.cli.output import console, error_console, fail
from airy_ray.cli.running import Announcement, only_one, was_killed
from airy_ray.cluster.layout import Layout, jwt_secret, prepare_data, run_directory, specs
from airy_ray.config import Settings, load
from airy_ray.errors import ConfigError, NewerStateError
from airy_ray.garbage import give_back
from airy_ray.partition.inventory import inventories
from airy_ray.replay import upgrade
from airy_ray.serve import metrics, ray_environment
from airy_ray.serve.api.identity_providers import provider
from airy_ray.state.tables import PROJECTION_VERSION

_READY_S = 120.0
"""How long nothing may move on while it is waited for the applications."""
_POLL_S = 0.1
_LOOK_S = 1.0
_LEFTOVER_S = 30.0
"""How long the processes of a system that was killed may take to notice it."""
_SESSIONS_KEPT = 3


class _Stopped(BaseException):
    """SIGINT or SIGTERM came."""


def up(
    config: Annotated[Path | None, typer.Option(help="Settings; airy.yaml if it is there.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            help="How many, 2 to 8 as there are cores unless told; fixed when the data is made."
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster: auto, or ray://host:port.")
    ] = None,
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without a system token.")
    ] = False,
) -> None:
    """Start everything on this machine and run until SIGINT or SIGTERM.

    Prints "airy-ray is ready at ..." once every route answers, and not before. A second `up` on the
    same data, a taken port or a wrong setting ends at once with exit code 2 and changes nothing.
    """
    flags = {
        "data": data,
        "http.host": host,
        "http.port": port,
        "partitions": partitions,
        "insecure": insecure or None,
    }
    try:
        settings = load(flags, file=config)
        if settings.security.oidc is not None:
            provider(settings.security.oidc)
        _check_port(settings)
        layout = prepare_data(settings)
        settings = settings.model_copy(update={"data": settings.data.resolve()})
        with only_one(settings.data, _url(settings)) as announcement:
            _tell_of_earlier(settings, layout)
            _run(settings, layout, address, announcement)
    except ConfigError as error:
        fail(error)


def _run(
    settings: Settings, layout: Layout, address: str | None, announcement: Announcement
) -> None:
    run = run_directory(settings.data)
    jwt_secret(settings)
    metrics.use_directory(run / "metrics")
    ray_environment.prepare(
        run,
        max_connections=settings.serve.max_connections,
        sockets_per_s=settings.realtime.connects_per_s,
    )
    from ray.exceptions import RayError  # takes a second, which other commands need not wait for

    from airy_ray.serve.system import System  # imports Ray Serve, which reads its environment

    began = time.monotonic()
    system = System(settings, layout)
    code = 1
    try:
        _stop_on_signals()
        with console.status("starting Ray"):
            system.start_ray(address, _sessions(run))
        _stop_on_signals()  # Ray has put its own in their place
        with console.status("starting the partitions"):
            system.start_partitions()
        with console.status("starting the applications"):
            system.start_applications()
        with console.status("waiting for every route") as shown:
            wait_until_ready(settings, shown.update)
            # not here: what a signal raises in the middle of a finalizer goes no further
            collecting = Thread(target=give_back)
            collecting.start()
            collecting.join()
        announcement.ready()
        console.print(f"airy-ray is ready at {_url(settings)}", highlight=False)
        console.print(f"started in {time.monotonic() - began:.1f} s; Ctrl-C stops it", style="dim")
        while system.is_alive():
            time.sleep(_LOOK_S)
        _give_up(run)
    except _Stopped:
        code = 0
    except (RuntimeError, TimeoutError, RayError) as error:
        reason = str(error).strip().splitlines()[-1]
        fail(f"cannot start: {reason} (the logs are in {run / 'ray'})", code=1)
    finally:
        with console.status("stopping"):
            is_in_order = system.stop()
        if not is_in_order:
            os._exit(code)  # as if killed: what is left of Ray ends with this process


def _tell_of_earlier(settings: Settings, layout: Layout) -> None:
    """Say so if an earlier release has made rows that this one makes otherwise.

    Raises:
        ConfigError: a newer one has.
    """
    found = inventories([each for each in specs(settings, layout) if each.directory.exists()])
    made = {each.partition: each.present.projection for each in found if each.present is not None}
    newer = [name for name, version in made.items() if version > PROJECTION_VERSION]
    if newer:
        error = NewerStateError(made[newer[0]], PROJECTION_VERSION)
        raise ConfigError(f"data: partition {newer[0]}: {error}")
    if (notice := upgrade.notice(made, settings.replay.on_upgrade)) is not None:
        console.print(notice, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _give_up(run: Path) -> NoReturn:
    """End at once, as if killed: without Ray there is nothing that could stop in order.

    Nothing needs it either: all processes end with this one or with Ray, and the next start goes on
    from what is on disk.
    """
    error_console.print(
        f"airy-ray: a process of Ray's has ended; start again (the logs are in {run / 'ray'})",
        style="red",
        markup=False,
        highlight=False,
    )
    os._exit(1)


def _url(settings: Settings) -> str:
    return f"http://{settings.http.host}:{settings.http.port}"


def _stop_on_signals() -> None:
    def stop(number: int, frame: Any) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # stopping takes a moment, and is not stopped
        raise _Stopped

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)


def _check_port(settings: Settings) -> None:
    """Make sure that the port is free; what is left of a system that was killed frees it soon."""
    deadline = time.monotonic() + (_LEFTOVER_S if was_killed(settings.data) else 0)
    while (refusal := _refusal(settings)) is not None:
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"http.port: cannot listen on {settings.http.host}:{settings.http.port}: {refusal}"
            )
        time.sleep(_POLL_S)


def _refusal(settings: Settings) -> str | None:
    try:
        socket.create_server((settings.http.host, settings.http.port)).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _sessions(run: Path) -> Path:
    """Return where Ray keeps its logs, with those of old sessions gone."""
    directory = run / "ray"
    old = sorted(directory.glob("session_2*"), reverse=True)
    for session in old[_SESSIONS_KEPT - 1 :]:
        shutil.rmtree(session, ignore_errors=True)
    return directory


def wait_until_ready(settings: Settings, tell: Callable[[str], None]) -> None:
    """Wait until each application answers, through the door that everybody takes.

    States that are rebuilt after a crash may take long; as long as they go on they are waited for.
    """
    told, deadline = "", time.monotonic() + _READY_S
    with httpx.Client(base_url=address(settings), timeout=5) as client:
        while (waiting := _waiting_for(client)) is not None:
            if waiting not in ("", told):
                told, deadline = waiting, time.monotonic() + _READY_S
                tell(told)
            if time.monotonic() > deadline:
                raise TimeoutError(told or "the applications do not answer")
            time.sleep(_POLL_S)


def _waiting_for(client: httpx.Client) -> str | None:
    """Return what is not ready yet, in words if it says so; None if all is."""
    try:
        health = client.get("/actuator/health")
        if health.status_code == client.get("/webhooks/health").status_code == 200:
            return None
        told: dict[str, str] = health.json()["partitions"]
    except (httpx.HTTPError, ValueError, KeyError):
        return ""
    return "; ".join(f"partition {name}: {why}" for name, why in told.items())
