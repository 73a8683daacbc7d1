"""Conversations with contacts who are known by their phone number, and have written.

Who else has the number is looked for where that is wished, and both are merged then: by a command,
so the log says so. Until then a row waits, also while nobody wishes it.
"""

from airy_ray.model.conversation import Conversation
from airy_ray.model.events import NumberSettled
from airy_ray.model.phone_numbers import number_of
from airy_ray.projections.view import View


def verify(view: View, conversation: Conversation) -> None:
    """Note that the contact of a conversation has written for the first time."""
    if number_of(conversation.source, conversation.source_conversation_id) is not None:
        view.numbers.put(conversation.id, b"")


def settle(view: View, event: NumberSettled) -> bool:
    """Note that others were looked for; return whether that is new."""
    is_waiting = view.numbers.get(event.conversation_id) is not None
    view.numbers.delete(event.conversation_id)
    return is_waiting
