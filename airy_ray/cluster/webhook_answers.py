"""What endpoints answered, its first kB: kept beside attempts, and gone with whom it is about.

1. An answer may repeat what it was asked, so it is kept where it can be overwritten: one file of
   excerpts for each webhook, in `data/answers`. Owners blank them when they erase somebody.
2. What comes in answer to something that was sent before an erasure is not kept. Whether there was
   one meanwhile is looked at under the lock that owners take for blanking: either we see that
   somebody is erased, or what we write is there when it is blanked.
"""

import codecs
import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.webhook_backlog import Attempt
from airy_ray.cluster.webhook_bodies import erasure_of
from airy_ray.errors import AiryError
from airy_ray.model.ids import ID_BYTES, PartitionIndex, format_id
from airy_ray.publishing.events import Event
from airy_ray.storage import excerpts
from airy_ray.storage.excerpts import Excerpt, locked

logger = logging.getLogger(__name__)

_PENDING_MAX = 4_096
"""How many answers wait to be written; the others are not kept."""


class Heard(NamedTuple):
    """An answer that is to be written.

    Attributes:
        erasure: what `erasure_of` said when the event was read.
    """

    webhook: bytes
    slot: int
    partition: PartitionIndex
    erasure: int | None
    excerpt: Excerpt


class Answers:
    """Writes down what endpoints answer; used in one event loop.

    Args:
        directory: of the files; it is made.
    """

    def __init__(self, directory: Path, accesses: Mapping[PartitionIndex, LocalAccess]) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._accesses = accesses
        self._pending: list[Heard] = []

    def add(self, heard: Heard) -> None:
        """Keep an answer from the next `save` on."""
        if len(self._pending) < _PENDING_MAX:
            self._pending.append(heard)

    def save(self) -> None:
        """Write what was added, unless somebody is being erased just now: then it is for later.

        It comes back without waiting for the disk, and in one go, so that the lock covers all.
        """
        if not self._pending:
            return
        with locked(self._directory) as is_ours:
            if not is_ours:
                return
            files: dict[bytes, dict[int, Excerpt]] = defaultdict(dict)
            for heard in self._pending:
                if self._may_be_kept(heard):
                    files[heard.webhook][heard.slot] = heard.excerpt
            self._pending = []
            try:
                for webhook, found in files.items():
                    excerpts.write(self._directory / format_id(webhook), found)
            except OSError as error:
                logger.warning("answers of webhooks cannot be written: %s", error.strerror)

    def _may_be_kept(self, heard: Heard) -> bool:
        try:
            with self._accesses[heard.partition].reader.read() as view:
                return erasure_of(view, heard.excerpt.about) == heard.erasure
        except AiryError:  # nobody can tell now
            return False


def heard_of(
    webhook: bytes, slot: int, event: Event, erasure: int | None, at: int, answer: bytes
) -> Heard:
    """Return an answer to an event, which came at an instant in microseconds."""
    return Heard(webhook, slot, event.partition, erasure, Excerpt(at, event.lane, answer))


def answers_to(directory: Path, attempts: list[tuple[bytes, Attempt]]) -> list[str | None]:
    """Return what attempts of one webhook were answered with, as far as it is kept."""
    if not attempts:
        return []
    marks = {
        attempt.slot: int.from_bytes(key[ID_BYTES : ID_BYTES + 8], "big")
        for key, attempt in attempts
        if attempt.slot is not None
    }
    webhook = attempts[0][0][:ID_BYTES]
    texts = excerpts.read(directory / format_id(webhook), marks)
    kept = [None if each.slot is None else texts.get(each.slot) for _, each in attempts]
    return [None if text is None else _text(text) for text in kept]


def _text(answer: bytes) -> str:
    """Return an answer as text; of a character that is cut off at the end nothing."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(answer)
