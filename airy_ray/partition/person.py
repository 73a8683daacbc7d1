"""What the log says of a person, read from its beginning: see `contacts.export`.

Look from a child, see `storage.child`: the whole log is read twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ContactId, ConversationId
from airy_ray.partition.forgetting import EVER, Forgotten
from airy_ray.partition.history import History
from airy_ray.partition.spec import PartitionSpec
from airy_ray.projections.view import Erasure
from airy_ray.rawlog.record import Record
from airy_ray.rawlog.tail import LogTail

_BYTES_AT_ONCE = 4 << 20


def said_of(
    spec: PartitionSpec, conversations: Sequence[ConversationId], contacts: Sequence[ContactId]
) -> Iterator[bytes]:
    """Yield the records of a partition that speak of a person, a line of JSON each, in order.

    Of bodies about several people only what is about this one.
    """
    everything = tuple((each, EVER) for each in conversations)
    person = Forgotten([(EVER, Erasure(everything, tuple(contacts), Millis(EVER), Millis(EVER)))])
    for offset, record in _records(spec):
        person.learn(offset, record)
    for offset, record in _records(spec):
        body = person.said_of(record)
        if body is not None:
            yield _line(spec, offset, record, body)


def _records(spec: PartitionSpec) -> Iterator[tuple[int, Record]]:
    try:
        tail = LogTail(spec.directory, is_read_only=True)
    except FileNotFoundError:
        return  # nothing has begun there
    with closing(tail):
        yield from History(tail, spec.archive).records(0, tail.head, _BYTES_AT_ONCE)


def _line(spec: PartitionSpec, offset: int, record: Record, body: bytes) -> bytes:
    told = {
        "partition": spec.name,
        "offset": offset,
        "received_at": json_text.instant(record.at),
        "kind": record.kind,
        "source": record.source,
        "headers": record.headers,
    }
    if json_text.is_utf8(body):
        return json_text.encode(told | {"body": body.decode()}) + b"\n"
    return json_text.encode(told | {"body_base64": body}) + b"\n"
