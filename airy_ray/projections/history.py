"""A generation made out of history took over: who listens is told what shows something else now.

What was told before stays as it was told. These changes have types of their own in the feed, so
that programs to whom history is of no concern hear nothing of it; on the wire they are updates.
"""

from airy_ray.clock import Millis
from airy_ray.model import conversation as conversations
from airy_ray.model import json_text
from airy_ray.model import message as messages_json
from airy_ray.model.events import HistorySwapped, MessageFailed
from airy_ray.model.ids import ConversationId, MessageId
from airy_ray.projections import changes, messages, waiting
from airy_ray.projections.view import Change, View

MESSAGE_CORRECTED, CONVERSATION_CORRECTED = "message.corrected", "conversation.corrected"
MESSAGE_REMOVED, CONVERSATION_REMOVED = "message.removed", "conversation.removed"
RELOAD = "history.replaced"
NEVER_SENT = "found when history was processed again, too late to be sent"


def swap(view: View, event: HistorySwapped, at: Millis) -> None:
    """Tell what is different, or that it is too much to tell; give up what nobody is to send."""
    for unsent in event.unsent:
        messages.fail(view, MessageFailed(unsent, NEVER_SENT, None, at), at)
    for offset in event.misrouted:
        waiting.route_anew(view, offset)
    if not event.is_whole:
        event_text = json_text.encode({"type": RELOAD, "timestamp": at, "payload": {}})
        view.emit(Change(RELOAD, None, None, event_text))
        return
    for conversation, message in event.places:
        if message is None:
            told = _conversation_told(view, event, conversation, at)
        else:
            told = _message_told(view, event, conversation, message, at)
        view.emit(told)


def _message_told(
    view: View, event: HistorySwapped, conversation: ConversationId, message: MessageId, at: Millis
) -> Change:
    key = view.message_keys.get(message)
    stored = None if key is None else view.messages.get(key)
    if stored is None:
        row = view.conversations.get(conversation)
        channel = event.channels.get(conversation) if row is None else row.channel_id
        return changes.gone(MESSAGE_REMOVED, conversation, channel, at, message=message)
    told = changes.message_event("message.updated", at, stored, messages_json.head(stored))
    return Change(MESSAGE_CORRECTED, conversation, message, told)


def _conversation_told(
    view: View, event: HistorySwapped, conversation: ConversationId, at: Millis
) -> Change:
    row = view.conversations.get(conversation)
    if row is None:
        channel = event.channels.get(conversation)
        return changes.gone(CONVERSATION_REMOVED, conversation, channel, at)
    document = conversations.counted_metadata(row.metadata, row.unread_count or 0)
    told = changes.metadata_event("conversation", conversation, document, at)
    return Change(CONVERSATION_CORRECTED, conversation, None, told)
