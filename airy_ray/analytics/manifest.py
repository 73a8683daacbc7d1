"""`export.json`: what an export holds, and how far. It is written last: what it names is whole."""

import msgspec

from airy_ray.analytics.schema import SCHEMA_VERSION
from airy_ray.errors import ConfigError

NAME = "export.json"


class ExportedFile(msgspec.Struct, frozen=True):
    """A file that counts: its name below the export, and whose rows of which table it holds."""

    path: str
    table: str
    partition: str
    rows: int


class Progress(msgspec.Struct, frozen=True):
    """How far a partition was exported.

    Attributes:
        change: the place in its change feed before which everything is in the files.
        generation: of the state that was read; another one may have lost rows without a word.
        exported_at: ISO 8601.
    """

    change: int
    generation: int
    exported_at: str


class Manifest(msgspec.Struct, frozen=True):
    """What an export holds.

    Attributes:
        history: of which line of records; places in the feed mean nothing in another.
        partitions: by name.
    """

    schema_version: int
    history: str
    partitions: dict[str, Progress] = {}
    files: list[ExportedFile] = []

    def with_partition(
        self, name: str, progress: Progress, fresh: list[ExportedFile], *, is_full: bool
    ) -> "Manifest":
        """Return it with what a run has added for a partition, or put in the place of all of it."""
        kept = [each for each in self.files if not (is_full and each.partition == name)]
        return msgspec.structs.replace(
            self, partitions=self.partitions | {name: progress}, files=kept + fresh
        )

    def fits(self, history: str) -> bool:
        """Whether an export of a history can go on where this ended."""
        return self.history == history and self.schema_version == SCHEMA_VERSION


def encode(manifest: Manifest) -> bytes:
    """Return a manifest as it is stored."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(content: bytes) -> Manifest:
    """Return a stored manifest.

    Raises:
        ConfigError: it is none.
    """
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigError(f"--to: its {NAME} is not one of ours") from None
