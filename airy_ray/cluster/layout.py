"""What lies where: the data directory, made once, and the sockets of a running system."""

from __future__ import annotations

import os
import secrets
import tempfile
from base64 import b64encode
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from airy_ray.errors import ConfigError
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition.spec import PartitionSpec, Retention, Rule, Upkeep
from airy_ray.publishing.events import Earlier, Lineage
from airy_ray.storage.files import write_synced

if TYPE_CHECKING:
    from airy_ray.config import Settings  # owners do without what it is made of

LAYOUT_VERSION = 1
RESTORING = "restoring"
"""The file that is in a data directory until all of it is restored."""

_HOUR_MS = 3_600_000
_TEMPORARY_MAX = 9
"""How long the path of the run directory's parent may be: Ray appends 70 characters to where we put
HAProxy's socket, whose path may have 97.
"""


class Layout(msgspec.Struct, frozen=True):
    """What is fixed when a data directory is made.

    Attributes:
        history: names this line of records; positions in its feed mean nothing in another.
        earlier: the lines that it goes on from, each since a restore, oldest first.
    """

    version: int
    partitions: int
    history: str
    earlier: tuple[Earlier, ...] = ()

    @property
    def lineage(self) -> Lineage:
        """Which history has made which records."""
        return Lineage(self.history, self.earlier)


def prepare_data(settings: Settings) -> Layout:
    """Make the data directory, or check that it is one of ours that fits the settings.

    Raises:
        ConfigError: it is of another version, or for another number of partitions.
    """
    data = settings.data
    file = data / "layout.json"
    _refuse_unfinished(data)
    if not file.exists():
        if (data / "partitions").exists():
            raise ConfigError(f"data: {file} is gone; what is stored cannot be read without it")
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"data: {data}: {error.strerror}") from None
        layout = Layout(LAYOUT_VERSION, settings.partitions, new_history())
        write_layout(data, layout)
        return layout
    layout = read_layout(data)
    if layout.partitions != settings.partitions and "partitions" in settings.model_fields_set:
        raise ConfigError(
            f"partitions: {data} was made for {layout.partitions}, which cannot be changed"
        )
    return layout


def read_layout(data: Path) -> Layout:
    """Return what a data directory was made for.

    Raises:
        ConfigError: it is none, or of another version.
    """
    file = data / "layout.json"
    _refuse_unfinished(data)
    try:
        layout = msgspec.json.decode(file.read_bytes(), type=Layout)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"data: {data} is not a data directory") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"data: {file} cannot be read") from None
    if layout.version != LAYOUT_VERSION:
        raise ConfigError(
            f"data: {data} has layout version {layout.version}, this program knows {LAYOUT_VERSION}"
        )
    return layout


def write_layout(data: Path, layout: Layout) -> None:
    """Make a directory a data directory."""
    write_synced(data / "layout.json", msgspec.json.encode(layout))


def new_history() -> str:
    """Return a name for a line of records that begins."""
    return secrets.token_hex(4)


def specs(settings: Settings, layout: Layout) -> list[PartitionSpec]:
    """Return all partitions, the registry last."""
    indexes = [PartitionIndex(index) for index in range(layout.partitions)]
    return [_spec(settings, layout, index) for index in (*indexes, REGISTRY)]


def jwt_secret(settings: Settings) -> str:
    """Return the configured key for JWTs, else the one made for this data directory."""
    if settings.security.jwt_secret is not None:
        return settings.security.jwt_secret.get_secret_value()
    file = settings.data / "jwt-secret"
    if not file.exists():
        write_synced(file, b64encode(secrets.token_bytes(32)))
    return file.read_text().strip()


def run_directory(data: Path) -> Path:
    """Return where the sockets of the system on `data` are: short, and only ours to enter.

    Raises:
        ConfigError: somebody else has made it.
    """
    name = blake2b(str(data.resolve()).encode(), digest_size=6).hexdigest()
    temporary = Path(tempfile.gettempdir())
    if len(str(temporary)) > _TEMPORARY_MAX:
        temporary = Path("/tmp")  # noqa: S108 - made with mode 700, and checked
    path = temporary / f"airy-{name}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ConfigError(f"{path} belongs to somebody else")
    return path


def _refuse_unfinished(data: Path) -> None:
    if (data / RESTORING).exists():
        raise ConfigError(f"data: restoring {data} did not come to its end; restore it again")


def _spec(settings: Settings, layout: Layout, index: PartitionIndex) -> PartitionSpec:
    archive, state = settings.archive, settings.state
    name = "registry" if index == REGISTRY else f"{index:02}"
    return PartitionSpec(
        index=index,
        count=layout.partitions,
        directory=settings.data.resolve() / "partitions" / name,
        archive=settings.archive_directory.resolve(),
        answers=settings.data.resolve() / "answers",
        upkeep=Upkeep(
            sync_ms=int(state.sync_s * 1_000),
            segment_bytes=archive.segment_bytes,
            segment_age_ms=int(archive.segment_age_s * 1_000),
            tail_records=archive.tail_records,
            snapshot_records=state.snapshot_records,
            snapshot_age_ms=int(state.snapshot_age_s * 1_000),
        ),
        retention=Retention(
            changes_ms=int(settings.changes.keep_hours * _HOUR_MS),
            ledger_ms=int(settings.limits.ledger_days * 24 * _HOUR_MS),
            audit_ms=int(settings.limits.audit_days * 24 * _HOUR_MS),
            rules=tuple(
                Rule(rule.source, int(rule.after_days * 24 * _HOUR_MS))
                for rule in settings.retention
            ),
        ),
    )
