"""Records of the log as `ledger` and `quarantine` name and show them, and have them dealt with."""

import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from airy_ray.cli.client import call
from airy_ray.cli.data import Data, opened
from airy_ray.cli.output import complain, error_console, fail
from airy_ray.cli.running import running_on
from airy_ray.cli.units import instant
from airy_ray.clock import Micros, to_millis
from airy_ray.errors import AiryError, ConfigError, OffsetOutOfRangeError
from airy_ray.partition import ledger
from airy_ray.partition.ledger import Told, Unreadable
from airy_ray.partition.newest import cursor_of, positions_of
from airy_ray.storage import child
from airy_ray.storage.files import write_synced

RecordArgument = Annotated[
    str, typer.Argument(metavar="RECORD", help="Which: partition:offset, as it is listed.")
]
RecordsArgument = Annotated[
    list[str], typer.Argument(metavar="RECORD...", help="Which: partition:offset, as listed.")
]
BodyOption = Annotated[
    Path | None, typer.Option(help="Write the raw body to this file too; - for here.")
]
LimitOption = Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")]
BeforeOption = Annotated[
    str | None, typer.Option(help="Go on where a page ended: the position it printed.")
]


class Given(NamedTuple):
    """The options that all of a command's own commands have; they may stand before its name."""

    data: Path | None
    config: Path | None
    as_json: bool

    def over(self, before: "Given") -> "Given":
        """Return these, and for those that are not given, the ones that stood before the name."""
        return Given(
            self.data or before.data,
            self.config or before.config,
            self.as_json or before.as_json,
        )

    def opened(self) -> Data:
        """Return the data directory, or end with code 2."""
        return opened(self.data, self.config)


def positions(before: str | None, found: Data) -> list[int]:
    """Return where in each partition a page begins.

    Raises:
        ConfigError: no page has ended there.
    """
    try:
        return positions_of(before, len(found.specs))
    except ValueError:
        raise ConfigError("--before: expected the position that the last page printed") from None


def complain_of(unreadable: list[Unreadable]) -> None:
    """Say which partitions are missing in what was told."""
    for each in unreadable:
        complain(f"partition {each.partition} is missing here: {each.reason}")


def tell_more(following: list[int]) -> None:
    """Say where the next page begins, if there is one."""
    cursor = cursor_of(following)
    if cursor is not None:
        error_console.print(f"there is more: --before {cursor}", style="dim", soft_wrap=True)


def read(found: Data, record: str) -> Told:
    """Return all that is known of a record, or end."""
    located = ledger.located(found.specs, record)
    if located is None:
        fail(f"{record}: expected partition:offset, such as 02:1746")
    try:
        return child.first(ledger.told, *located)
    except OffsetOutOfRangeError as error:
        fail(error)
    except FileNotFoundError:
        fail(f"{record}: nothing has begun in this partition")
    except AiryError as error:
        fail(f"{record} cannot be read: {error}", code=1)


def write_body(told: Told, file: Path) -> None:
    """Write what came in, byte for byte; for its owner's eyes only."""
    if file == Path("-"):
        sys.stdout.buffer.write(told.record.body)
        sys.stdout.flush()
        return
    try:
        write_synced(file, told.record.body)
    except OSError as error:
        fail(f"--body: {file}: {error.strerror}")


def about(told: Told) -> dict[str, Any]:
    """Return what is told of a record itself, for programs."""
    return {
        "record": str(told.place),
        "received_at": received(told.record.received_at),
        "kind": told.record.kind,
        "source": told.record.source,
        "body_bytes": len(told.record.body),
        "payload_id": told.record.payload_id.hex(),
    }


def headline(told: Told) -> tuple[str, str]:
    """Return what is told of a record itself, for people."""
    stored = told.record
    return (
        f"{told.place}, received {received(stored.received_at)}",
        f"{stored.kind} of {stored.source or '-'}, {len(stored.body):,} bytes, "
        f"payload {stored.payload_id.hex()}",
    )


def received(at: Micros) -> str:
    """Return when something was received."""
    return instant(to_millis(at))


def ask(found: Data, path: str, record: str, *, missing: str) -> None:
    """Have the system that runs on a data directory deal with a record, or end.

    `missing` is what is wrong with one that it does not find.
    """
    running = running_on(found.directory)
    if running is None:
        fail(f"nothing runs on {found.directory}; start it with airy-ray up")
    call(found.settings, running.url, path, {"id": record}, missing=f"{record}: {missing}")
