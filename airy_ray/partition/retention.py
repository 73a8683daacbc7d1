"""Which conversations have been kept for long enough, by the rules of the settings.

The owner of a partition looks once a day and appends what is due, in batches; its projection looks
again, for something may have come in between, and from there on it is an erasure like others.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import islice

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import AiryError
from airy_ray.model.events import RetentionDue
from airy_ray.model.ids import REGISTRY, ContactId, ConversationId
from airy_ray.partition.fold import encode_event
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec, Rule
from airy_ray.rawlog.record import Record, payload_id, prepare
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.queries import Reading, reading
from airy_ray.state.state import State

_PAGE = 500
CONVERSATIONS_MAX = 10_000
"""How many go at once; what is more waits for the next hour."""


class Due(msgspec.Struct, frozen=True):
    """A conversation that is to go, by the rule for its source."""

    conversation_id: ConversationId
    contact_id: ContactId | None
    source: str
    last_message_at: Millis
    before: Millis


class Outlook(msgspec.Struct, frozen=True):
    """What would go in a partition, or why that cannot be told."""

    partition: str
    due: list[Due]
    unreadable: str | None = None


def append_due(partition: Partition, now: Millis) -> int:
    """Append records of what is due; return of how many conversations. Their effect comes later."""
    count = 0
    for page in _batches(partition.state, partition.spec.retention.rules, now):
        for before in sorted({due.before for due in page}):
            going = [due for due in page if due.before == before]
            event = RetentionDue(
                tuple((due.conversation_id, due.contact_id) for due in going), before
            )
            body = encode_event(event)
            record = Record(Micros(now * 1_000), "outcome", "", body, payload_id(body))
            partition.tail.append([prepare(record)])
            count += len(going)
    return count


def outlook(specs: Sequence[PartitionSpec], now: Millis) -> Iterator[Outlook]:
    """Yield what would go of each partition. Look from a child, see `storage.child`."""
    for spec in specs:
        if spec.index == REGISTRY:
            continue
        try:
            with (
                closing(LogTail(spec.directory, is_read_only=True)) as tail,
                closing(PartitionReader(tail)) as reader,
            ):
                yield Outlook(spec.name, list(_all_due(reader.read, spec.retention.rules, now)))
        except FileNotFoundError:
            continue  # nothing has begun there
        except AiryError as error:
            yield Outlook(spec.name, [], str(error))


def _batches(state: State, rules: Sequence[Rule], now: Millis) -> Iterator[list[Due]]:
    going = islice(_all_due(lambda: reading(state.environment), rules, now), CONVERSATIONS_MAX)
    while batch := list(islice(going, _PAGE)):
        yield batch


def _all_due(
    read: Callable[[], AbstractContextManager[Reading]], rules: Sequence[Rule], now: Millis
) -> Iterator[Due]:
    """Yield what is due, oldest first, a page of rows in one short transaction after another."""
    if not rules:
        return
    newest = now - min(rule.after_ms for rule in rules)
    after_ms = {rule.source: rule.after_ms for rule in rules}
    before: bytes | None = None
    while True:
        with read() as view:
            rows = view.oldest_conversations(before, _PAGE)
        for key, row, contact in rows:
            if row.last_message_at > newest:
                return
            kept_ms = after_ms.get(row.source, after_ms.get("*"))
            if kept_ms is not None and row.last_message_at <= now - kept_ms:
                cutoff = Millis(now - kept_ms)
                yield Due(row.id, contact, row.source, row.last_message_at, cutoff)
            before = key
        if len(rows) < _PAGE:
            return
