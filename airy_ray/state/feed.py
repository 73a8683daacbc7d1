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


def read_feed(view: Reading, place: int, limit: int) -> FeedPage:
    """Return at most `limit` changes from a place on; a question for `ReadAccess.ask`."""
    is_whole = place >= view.feed_start()
    changes = view.changes(place - 1, limit)
    if len(changes) == limit:
        return FeedPage(changes, changes[-1][0] + 1, has_more=True, is_whole=is_whole)
    end = max(place, keys.sequence(view.applied()))
    return FeedPage(changes, end, has_more=False, is_whole=is_whole)
