"""Contacts learn that we have read their messages, where their source tells (sources §3.7).

Such a row waits for the courier among the messages of ours, and goes after one call, whatever came
of it.
"""

from airy_ray.clock import Millis
from airy_ray.model.events import Place, ReadTold
from airy_ray.model.ids import MessageId
from airy_ray.projections.view import Dispatch, View

_TELLING = frozenset({"whatsapp"})


def tell(view: View, place: Place, newest: MessageId, at: Millis) -> None:
    """Have the contact told that a message was read; that tells as much of all before it."""
    if place.source in _TELLING:
        row = Dispatch(place, at, view.position, is_read_receipt=True)
        view.sends.put(newest, row)


def told(view: View, event: ReadTold) -> bool:
    """Note that nothing more is to be told of a message; return whether that is new."""
    dispatch = view.sends.get(event.message_id)
    if dispatch is None or not dispatch.is_read_receipt:
        return False
    view.sends.delete(event.message_id)
    return True
