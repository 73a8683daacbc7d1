"""Which rows are others now, told by the change feed page by page: for who keeps copies."""

from typing import NamedTuple

from airy_ray.model.ids import ContactId, ConversationId, MessageId
from airy_ray.state.queries import Reading
from airy_ray.state.tables import DECODERS


class RowNews(NamedTuple):
    """What changed, whether clients hear of it or not; some of it may be gone, or not be there yet.

    Attributes:
        entries: how many changes these are.
        place: from where to read on.
        has_more: whether there may be more at once.
        is_whole: whether nothing that came before `place` is missing: it may have been too old.
    """

    conversations: set[ConversationId]
    messages: set[MessageId]
    contacts: set[ContactId]
    entries: int
    place: int
    has_more: bool
    is_whole: bool


def row_news(view: Reading, place: int, limit: int) -> RowNews:
    """Read at most `limit` changes from a place on."""
    is_whole = place >= view.feed_start()
    decode = DECODERS["changes"]
    assert decode is not None
    rows, following = view.stored_rows("changes", place.to_bytes(8, "big"), limit)
    changes = [decode(row) for _, row in rows]
    if rows:
        place = int.from_bytes(rows[-1][0], "big") + 1
    return RowNews(
        {each.conversation_id for each in changes if each.conversation_id is not None},
        {each.message_id for each in changes if each.message_id is not None},
        {each.contact_id for each in changes if each.contact_id is not None},
        len(rows),
        place,
        following is not None,
        is_whole,
    )
