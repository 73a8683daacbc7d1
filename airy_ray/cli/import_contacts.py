"""`airy-ray import-contacts`: contacts out of a file, into a running system."""

import json
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import stamina
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from stamina.instrumentation import set_on_retry_hooks

from airy_ray.cli.client import http_client
from airy_ray.cli.contact_files import contacts_in
from airy_ray.cli.data import ConfigOption, JsonOption
from airy_ray.cli.output import console, error_console, fail, print_json
from airy_ray.cli.units import age
from airy_ray.config import load
from airy_ray.errors import ConfigError

_AT_ONCE = 200
"""How many contacts one request brings; the keys of a file that was begun depend on it."""
_AT_ONCE_BYTES = 256 << 10
_WAIT_S = 60.0
_TRIES = 5
_FIRST_PAUSE_S = 1.0
_PAUSE_MAX_S = 8.0
_BUSY = (429, 503)


class _RefusedError(Exception):
    """The system did not take a request."""


class _BusyError(_RefusedError):
    """It did not because it is too much now."""


def import_contacts(
    file: Annotated[Path, typer.Argument(help="A JSON array, JSON lines, or a .csv table.")],
    config: ConfigOption = None,
    url: Annotated[str | None, typer.Option(help="The running system; as configured.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Import contacts into a running system: thousands of them, and the same file any time again.

    The fields are those of contacts.create: display_name, avatar_url, title, gender, timezone,
    locale, organization_name, via, address, conversations, metadata. A table has them as columns,
    with a dot where they nest: display_name,via.email,address.city,metadata.customer_number

    The whole file is checked before the first contact is sent. If the import is interrupted, run
    it again: contacts that are there already are not made twice, as long as the file is the same.

    Exit code 0: all are imported. 1: some are not. 2: wrong use, nothing was sent.

    Example: airy-ray import-contacts customers.csv
    """
    try:
        settings = load({}, file=config)
        count = sum(1 for _ in contacts_in(file))
    except ConfigError as error:
        fail(error)
    set_on_retry_hooks([])  # else it logs each pause, across the progress
    began_at = time.monotonic()
    imported = requests = 0
    with http_client(settings, url, timeout_s=_WAIT_S) as client, _progress() as progress:
        task = progress.add_task("importing", total=count)
        for number, bodies in enumerate(_chunks(file)):
            try:
                _send(client, number, bodies)
            except (_RefusedError, httpx.HTTPError) as error:
                progress.stop()
                _stop(error, client, imported, count)
            imported += len(bodies)
            requests += 1
            progress.advance(task, len(bodies))
    seconds = time.monotonic() - began_at
    if as_json:
        print_json({"contacts": imported, "requests": requests, "seconds": round(seconds, 3)})
    else:
        console.print(f"contacts imported: {imported:,}, in {age(seconds)}", highlight=False)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=error_console,
        transient=True,
    )


def _chunks(file: Path) -> Iterator[list[bytes]]:
    """Yield what goes into each request: the same for the same file."""
    bodies: list[bytes] = []
    size = 0
    for each in contacts_in(file):
        body = json.dumps(each.contact, separators=(",", ":")).encode()
        if bodies and (len(bodies) == _AT_ONCE or size + len(body) > _AT_ONCE_BYTES):
            yield bodies
            bodies, size = [], 0
        bodies.append(body)
        size += len(body)
    if bodies:
        yield bodies


def _send(client: httpx.Client, number: int, bodies: list[bytes]) -> None:
    """Have contacts made; what cannot be now is tried again for a while."""
    body = b"[%b]" % b",".join(bodies)
    digest = blake2b(body, digest_size=16, salt=number.to_bytes(8, "big")).hexdigest()
    headers = {
        "content-type": "application/json",
        "idempotency-key": f"import-contacts {digest}",
    }
    for attempt in stamina.retry_context(
        on=_BusyError,
        attempts=_TRIES,
        timeout=None,
        wait_initial=_FIRST_PAUSE_S,
        wait_max=_PAUSE_MAX_S,
        wait_jitter=0,
    ):
        with attempt:
            _check(client.post("/contacts.import", content=body, headers=headers))


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    refused = _BusyError if response.status_code in _BUSY else _RefusedError
    raise refused(f"answered {response.status_code} {response.text}".rstrip())


def _stop(error: Exception, client: httpx.Client, imported: int, count: int) -> NoReturn:
    reason = f"{client.base_url}: {error}"
    if not imported and isinstance(error, httpx.ConnectError):
        fail(f"{reason}; is it running?")
    fail(
        f"{reason}; {imported:,} of {count:,} contacts are imported: run it again to go on", code=1
    )
