"""Records that a partition has for others: what its projection put into the outbox.

Each becomes a record in the other's log, with its source position in `of`, so that one which is
forwarded twice is folded once. How far forwarding got is kept with the log, synced; replay never
forwards, because what it folds again was forwarded the first time.
"""

from collections.abc import Generator
from contextlib import closing
from itertools import islice
from typing import NamedTuple

import msgspec

from airy_ray.clock import Micros
from airy_ray.model.ids import PartitionIndex, partition_of
from airy_ray.partition.partition import Partition
from airy_ray.partition.repair import FORWARDED
from airy_ray.partition.routing import (
    AliasLookup,
    ChannelLookup,
    join,
    partitions_of,
    reroute,
    route_anew,
    routed_again,
)
from airy_ray.projections.view import Outgoing
from airy_ray.projections.waiting import JOIN, REROUTE, RESEND, RETRY, ROUTE_ANEW
from airy_ray.rawlog.record import Kind, Offset, Record, is_erased, payload_id
from airy_ray.state.tables import decoded

_AT_ONCE = 256
_ROUTED = {REROUTE: reroute, ROUTE_ANEW: route_anew, JOIN: join}
_REPETITIONS = {*_ROUTED, RESEND, RETRY}


class Forward(NamedTuple):
    """A record and the partition whose log it is for."""

    target: PartitionIndex
    record: Record


def forwarded_until(partition: Partition) -> int:
    """Return the first sequence of the outbox that is still to be forwarded."""
    row = partition.tail.get(FORWARDED)
    return 0 if row is None else int.from_bytes(row, "big")


def pending(partition: Partition) -> list[tuple[int, Outgoing]]:
    """Return what is to be forwarded next, oldest first, with its sequence."""
    with closing(_waiting(partition)) as waiting:
        return list(islice(waiting, _AT_ONCE))


def _waiting(partition: Partition) -> Generator[tuple[int, Outgoing], None, None]:
    environment = partition.state.environment
    start = forwarded_until(partition).to_bytes(8, "big")
    with environment.read() as transaction:
        cursor = transaction.cursor(environment.tables["outbox"])
        if cursor.set_range(start):
            for key, value in cursor:
                yield int.from_bytes(key, "big"), decoded("outbox", key, value)


def has_pending(partition: Partition, source: str) -> bool:
    """Whether anything of a source is still to be forwarded."""
    with closing(_waiting(partition)) as waiting:
        return any(outgoing.source == source for _, outgoing in waiting)


def records_of(
    partition: Partition,
    sequence: int,
    outgoing: Outgoing,
    channels: ChannelLookup,
    aliases: AliasLookup,
    now: Micros,
) -> list[Forward]:
    """Return the records that an entry of the outbox asks for."""
    spec = partition.spec
    if outgoing.kind in _REPETITIONS:
        return _repeated(partition, outgoing, channels, aliases, now)
    record = Record(
        received_at=now,
        kind=_kind(outgoing.kind),
        source=outgoing.source,
        body=outgoing.body,
        payload_id=payload_id(outgoing.body),
        of=(spec.index, Offset(sequence)),
    )
    if outgoing.slot is not None:
        return [Forward(partition_of(outgoing.slot, spec.count), record)]
    return [Forward(PartitionIndex(index), record) for index in range(spec.count)]


def _repeated(
    partition: Partition,
    outgoing: Outgoing,
    channels: ChannelLookup,
    aliases: AliasLookup,
    now: Micros,
) -> list[Forward]:
    """Return a record of the partition's own log again, for the logs that are to have it."""
    spec = partition.spec
    offset = Offset(int.from_bytes(outgoing.body, "big"))
    record = partition.history.at(offset)
    if is_erased(record):
        return []
    if outgoing.kind == RETRY:
        of = record.of or (spec.index, offset)  # by which a forward is known: folded once
        return [Forward(spec.index, msgspec.structs.replace(record, received_at=now, of=of))]
    if outgoing.kind == RESEND:
        again = routed_again(record, channels, aliases, now)
        targets = partitions_of(again, spec.count)
    else:
        repeated = _ROUTED[outgoing.kind](record, channels, aliases, now)
        if repeated is None:
            return []
        again, slots = repeated
        targets = sorted({partition_of(slot, spec.count) for slot in slots})
    again = msgspec.structs.replace(again, of=(spec.index, offset))
    return [Forward(target, again) for target in targets]


def mark_forwarded(partition: Partition, sequence: int) -> None:
    """Note that everything up to `sequence`, itself included, is in the others' logs."""
    partition.tail.put(FORWARDED, (sequence + 1).to_bytes(8, "big"))


def _kind(name: str) -> Kind:
    kind: Kind = msgspec.convert(name, Kind)
    return kind
