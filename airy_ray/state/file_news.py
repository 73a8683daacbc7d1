"""Which messages may have files at their platforms, told by the change feed, page by page."""

from typing import NamedTuple

from airy_ray.model.ids import MessageId
from airy_ray.projections.changes import RECALLED
from airy_ray.state.queries import Reading
from airy_ray.state.tables import DECODERS

_KINDS = frozenset({"message.created", "message.updated", RECALLED})
_RECALLED = RECALLED.encode()
_KIND_END = 2 + len(_RECALLED)
"""Where such a kind ends in a row, which begins with it."""


class FileNews(NamedTuple):
    """Messages that may have files, oldest first.

    Attributes:
        messages: with the sequence of the change each.
        place: from where to read on.
        has_more: whether there may be more at once.
        is_whole: whether nothing that came before `place` is missing: it may have been too old.
    """

    messages: list[tuple[int, MessageId]]
    place: int
    has_more: bool
    is_whole: bool


def file_news(view: Reading, place: int, limit: int) -> FileNews:
    """Read at most `limit` changes from a place on; a question for `ReadAccess.ask`."""
    is_whole = place >= view.feed_start()
    decode = DECODERS["changes"]
    assert decode is not None
    rows, following = view.stored_rows("changes", place.to_bytes(8, "big"), limit)
    found = []
    for key, row in rows:
        place = int.from_bytes(key, "big") + 1
        if _may_tell_of_files(row):
            change = decode(row)
            if change.kind in _KINDS and change.message_id is not None:
                found.append((place - 1, change.message_id))
    return FileNews(found, place, following is not None, is_whole)


def _may_tell_of_files(row: bytes) -> bool:
    """Whether a change may: one of these is in every content with a file, seldom in others.

    Of messages of the past the feed tells no content. `in` takes four times as long for bytes, and
    most of the feed is of no concern here.
    """
    return (
        row.find(b"http") >= 0
        or row.find(b"file_id") >= 0
        or row.find(b"mime_type") >= 0
        or row.find(_RECALLED, 0, _KIND_END) >= 0
    )
