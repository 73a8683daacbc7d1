"""The change feed as a consumer reads it: page by page from its place, and told of what is gone.

A place is a sequence: everything before it is known. Sequences come from the log's offsets, so a
place stays good when the state is built anew or another generation takes over.
"""

from typing import NamedTuple

from airy_ray.projections import keys
from airy_ray.projections.view import Change
from airy_ray.state.queries import Reading


class FeedPage(NamedTuple):
    """Changes that clients hear of, oldest first.

    Attributes:
        changes: each with its sequence.
        place: from where to read on.
        has_more: whether there may be more at once.
        is_whole: whether nothing that came before `place` is missing: it may have been too old.
    """

    changes: list[tuple[int, Change]]
    place: int
    has_more: bool
    is_whole: bool


def feed_head(view: Reading) -> int:
    """Return the place behind all that has changed until now."""
    return keys.sequence(view.applied())


def is_recoverable(view: Reading, place: int) -> bool:
    """Whether nothing is missing from a place on, which no feed of another history tells."""
    return view.feed_start() <= place <= feed_head(view)


def read_feed(view: Reading, place: int, limit: int, max_bytes: int) -> FeedPage:
    """Return at most `limit` changes from a place on; a question for `ReadAccess.ask`.

    The last one goes beyond `max_bytes`, so that there is always something.
    """
    is_whole = place >= view.feed_start()
    changes: list[tuple[int, Change]] = []
    size = 0
    for sequence, change in view.feed(place):
        changes.append((sequence, change))
        size += len(change.event)
        if len(changes) == limit or size >= max_bytes:
            return FeedPage(changes, sequence + 1, has_more=True, is_whole=is_whole)
    end = max(place, feed_head(view))
    return FeedPage(changes, end, has_more=False, is_whole=is_whole)
