"""What the publisher remembers, for other partitions than those that it was written down for.

Webhooks go on from their places. What was waiting to be called again is told again from the feed,
from the oldest of it on; what has failed for good is forgotten. Events of the registry stay.
"""

from airy_ray.backup.parting import Places
from airy_ray.clock import Millis
from airy_ray.cluster.webhook_backlog import Backlog, began_scopes
from airy_ray.model.ids import ID_BYTES, REGISTRY, PartitionIndex
from airy_ray.storage.shelf import Shelf

_DEAD_AT_ONCE = 1_000


def webhook_places(shelf: Shelf, partitions: int) -> dict[str, dict[PartitionIndex, int]]:
    """Return before what webhooks have been called for all, by their scopes in hex."""
    return {
        scope.hex(): _places(Backlog(shelf, scope), partitions) for scope in began_scopes(shelf)
    }


def move_webhooks(shelf: Shelf, places: Places) -> None:
    """Have webhooks go on from other places in other partitions; durable on return."""
    _forget_dead(shelf)
    for scope in began_scopes(shelf):
        backlog = Backlog(shelf, scope)
        registry = backlog.place(REGISTRY)
        kept = [each for each in backlog.all_waiting() if each[1].event.partition == REGISTRY]
        failing_since = backlog.standing.failing_since
        backlog.end(Millis(0), buries=False)
        for partition, place in places[scope.hex()].items():
            backlog.put_place(partition, place)
        if registry is not None:
            backlog.put_place(REGISTRY, registry)
        for lane, waiting in kept:
            backlog.keep(waiting, lane)
        backlog.standing.failing_since = failing_since
        backlog.put_standing()
    shelf.write(shelf.unwritten())


def _places(backlog: Backlog, partitions: int) -> dict[PartitionIndex, int]:
    indexes = [PartitionIndex(index) for index in range(partitions)]
    found = {index: backlog.place(index) or 0 for index in indexes}
    for _, waiting in backlog.all_waiting():
        event = waiting.event
        if event.partition != REGISTRY:
            found[event.partition] = min(found[event.partition], event.sequence)
    return found


def _forget_dead(shelf: Shelf) -> None:
    while rows := shelf.under("dead", b"", _DEAD_AT_ONCE):
        for identifier in {key[:ID_BYTES] for key, _ in rows}:
            shelf.delete_under("dead", identifier)
            backlog = Backlog(shelf, identifier + bytes(8))
            backlog.standing.dead = 0
            backlog.put_standing()
