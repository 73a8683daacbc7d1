"""Reactions: one per message, the newest by the source's own time wins (sources §0.6)."""

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.events import ReactionChanged
from airy_ray.model.ids import MessageId, message_id
from airy_ray.projections import keys, metadata
from airy_ray.projections.metadata import Values
from airy_ray.projections.view import View


def change(view: View, event: ReactionChanged, at: Millis) -> bool:
    """Put a reaction to a message that may come later; return whether it was news."""
    target = _target(view, event)
    present = view.metadata.get(keys.metadata("message", target, "reaction.sent_at"))
    if present is not None and present.at > event.at:
        return False
    values: Values = {"reaction.emoji": None, "reaction.sent_at": None}
    if event.emoji is not None:
        values = {
            "reaction.emoji": json_text.quote(event.emoji),
            "reaction.sent_at": b'"%d"' % event.at,
        }
    return metadata.describe_message(view, event.place.conversation_id, target, values, event.at)


def _target(view: View, event: ReactionChanged) -> MessageId:
    key = keys.source_id(event.place.channel_id, event.source_message_id)
    sent = view.source_ids.get(key)
    return (
        MessageId(sent)
        if sent
        else message_id(event.place.conversation_id, event.source_message_id)
    )
