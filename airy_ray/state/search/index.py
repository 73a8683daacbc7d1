"""The index on disk: two of tantivy's beside a state, and how far in the change feed they are.

1. `position` is written after the commit that it tells of: what is indexed twice is there once, so
   a crash in between costs a repetition. Without that file nothing here counts: the index is being
   built, or was found damaged, and readers wait.
2. Only the owner of the partition writes. Readers map the files into memory; those that are deleted
   meanwhile stay theirs until they look again.
3. tantivy tells what it cannot do by several exceptions, and by panics: all of them become ours.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import tantivy

from airy_ray.errors import AiryError, DiskFullError, IndexingError
from airy_ray.storage.files import is_no_space

INDEX_VERSION = 2
"""Raised whenever the same rows would make other documents; an older index is then built anew."""

HEAP_BYTES = 15_000_000
"""How much the writer gathers in memory; tantivy takes no less."""

_DIRECTORY = "search"
_POSITION = "position"
_NO_SPACE = "os error 28"


class Position(msgspec.Struct, frozen=True):
    """How far an index is: changes before `sequence` are in it."""

    version: int
    sequence: int


def _conversation_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    _add_id(builder)
    for field in ("channel_id", "source"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("display_name", "tag_ids", "metadata"):
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("display_name_ends", tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field("unread_count", indexed=True)  # fast, ranges would go through all
    builder.add_integer_field("created_at", indexed=True, fast=True)
    builder.add_integer_field("last_message_at", fast=True)
    return builder.build()


def _message_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    _add_id(builder)
    builder.add_text_field("conversation", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field("rank", indexed=True, fast=True)
    return builder.build()


def _add_id(builder: tantivy.SchemaBuilder) -> None:
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    for half in ID_HALVES:
        builder.add_unsigned_field(half, fast=True)


ID_HALVES = ("id_high", "id_low")
"""The id once more, where it is read from quickly."""

CONVERSATIONS, MESSAGES = "conversations", "messages"
SCHEMAS = {CONVERSATIONS: _conversation_schema(), MESSAGES: _message_schema()}
SORTED_BY = {CONVERSATIONS: "last_message_at", MESSAGES: "rank"}


def directory_of(state: Path) -> Path:
    """Return where the index of a state is: in its directory, to go with it."""
    return state / _DIRECTORY


def position_file(directory: Path) -> Path:
    """Return the file that is there, and replaced with every commit, while an index counts."""
    return directory / _POSITION


def read_position(directory: Path) -> int | None:
    """Return the sequence up to which an index is; None if it does not count."""
    try:
        position = msgspec.json.decode(position_file(directory).read_bytes(), type=Position)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return position.sequence if position.version == INDEX_VERSION else None


def write_position(directory: Path, sequence: int) -> None:
    """Say how far an index is, once that is committed."""
    fresh = directory / f".{_POSITION}"
    try:
        fresh.write_bytes(msgspec.json.encode(Position(INDEX_VERSION, sequence)))
        fresh.replace(position_file(directory))
    except OSError as error:
        raise explained(directory, error) from error


def distrust(directory: Path) -> None:
    """Have an index built anew; whoever finds it damaged may ask for that."""
    position_file(directory).unlink(missing_ok=True)


def open_index(directory: Path, name: str, *, create: bool) -> tantivy.Index:
    """Open one of the two indexes."""
    path = directory / name
    with explaining(path):
        if not create:
            return tantivy.Index.open(str(path))
        path.mkdir(parents=True, exist_ok=True)
        return tantivy.Index(SCHEMAS[name], path=str(path), reuse=True)


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Raise our own error for any of tantivy's."""
    try:
        yield
    except (AiryError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of tantivy's is no Exception
        raise explained(path, error) from error


def explained(path: Path, error: BaseException) -> DiskFullError | IndexingError:
    """Return our error for one of tantivy's."""
    if _NO_SPACE in str(error) or is_no_space(getattr(error, "errno", None)):
        return DiskFullError(str(path))
    return IndexingError(f"{path} is damaged: {type(error).__name__}: {error}")


def stamp(position: Path) -> tuple[int, int] | None:
    """Return what is different after every commit; None while the index does not count."""
    try:
        status = os.stat(position)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
