"""Conversations: their newest message, their place in the list, how much of them is unread."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import hand_over
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import ConversationRead, MessageRecalled, Place
from airy_ray.model.ids import MessageId
from airy_ray.model.message import Message
from airy_ray.projections import changes, contacts, keys, metadata, numbers, profiles, read_receipts
from airy_ray.projections.view import Timer, View

READ_AT_ONCE_MAX = 5_000
"""How many messages one record marks as read, so that no record holds up those behind it."""


def add(
    view: View,
    place: Place,
    message: Message,
    shown: bytes,
    present: Conversation | None,
    erased_at: Millis | None,
    at: Millis,
    *,
    recalled: MessageRecalled | None = None,
) -> bool:
    """Show a new message in its conversation, which its first message brings into being.

    `shown` is the message's JSON up to its sender. Return whether it is the first. One of the past
    (`recalled`) is no news: it tells nobody anything, nor does it take a conversation from bots.
    """
    is_inbound = message.from_contact and message.updated_at is None
    is_unread = is_inbound if recalled is None else recalled.is_unread
    if present is None:
        present = _begin(view, place, message, shown, erased_at)
        profiles.want(view, present, at)
    elif present.is_contactless:
        present = msgspec.structs.replace(present, is_contactless=False)
        contacts.introduce_again(view, present, at)
    if recalled is not None:
        began_at = min(present.created_at, message.sent_at)  # the newest may have come first
        present = msgspec.structs.replace(present, created_at=began_at)
    elif not message.from_contact and message.sender_id not in hand_over.BOTS:
        present = msgspec.structs.replace(present, is_with_people=True)
    held = present.message_count + 1
    count, last_inbound_at = present.unread_count, present.last_inbound_at
    if is_unread:
        key = keys.unread(present.id, message.id)
        view.unread.put(key, keys.instant(message.sent_at))
        count = 1 if count is None else count + 1
    if is_inbound:
        if last_inbound_at is None:
            numbers.verify(view, present)
        if last_inbound_at is None or message.sent_at > last_inbound_at:
            last_inbound_at = message.sent_at
    if message.sent_at >= present.last_message_at:
        stored = _advanced(view, present, message, shown, count, held, last_inbound_at)
    else:
        stored = msgspec.structs.replace(
            present, unread_count=count, message_count=held, last_inbound_at=last_inbound_at
        )
    view.conversations.put(stored.id, stored)
    if is_unread and recalled is None:
        metadata.tell_conversation(view, stored, message.sent_at)
    return held == 1


def read(view: View, event: ConversationRead) -> None:
    """Mark what the contact sent before `event.at` as read; later messages stay unread.

    The count is right at once. Of very many messages the rest is marked by a timer that falls next.
    """
    conversation = event.conversation_id
    before = keys.instant(event.at)
    unread = view.unread.under(conversation)
    now_read = [(key, sent_at) for key, sent_at in unread if sent_at < before]
    _tell_count(view, event, len(unread) - len(now_read))
    _tell_contact(view, event, now_read)
    for key, sent_at in now_read[:READ_AT_ONCE_MAX]:
        view.unread.delete(key)
        told = {"user_read": b"%d.0" % keys.instant_of(sent_at)}
        message = MessageId(key[len(conversation) :])
        metadata.describe_message(view, conversation, message, told, event.at)
    if len(now_read) > READ_AT_ONCE_MAX:
        rest = Timer(msgspec.msgpack.encode(event))
        view.timers.put(keys.timer(event.at, conversation), rest)


def place_of(conversation: Conversation) -> Place:
    """Return where messages of a conversation come from and go to."""
    return Place(
        conversation.id,
        conversation.channel_id,
        conversation.source,
        conversation.source_conversation_id,
    )


def _tell_contact(view: View, event: ConversationRead, now_read: list[tuple[bytes, bytes]]) -> None:
    """Have the contact told up to which message we have read."""
    present = view.conversations.get(event.conversation_id)
    if present is not None and now_read:
        newest, _ = max(now_read, key=lambda each: each[1])
        message = MessageId(newest[len(present.id) :])
        read_receipts.tell(view, place_of(present), message, event.at)


def _tell_count(view: View, event: ConversationRead, left: int) -> None:
    present = view.conversations.get(event.conversation_id)
    if present is None:
        changes.metadata_stored(
            view,
            "conversation",
            event.conversation_id,
            b'{"unread_count":0.0}',
            event.at,
            conversation=event.conversation_id,
        )
        return
    counted = msgspec.structs.replace(present, unread_count=left)
    view.conversations.put(counted.id, counted)
    metadata.tell_conversation(view, counted, event.at)


def _begin(
    view: View, place: Place, message: Message, shown: bytes, erased_at: Millis | None
) -> Conversation:
    state = view.metadata.get(keys.metadata("conversation", place.conversation_id, hand_over.STATE))
    told = {} if state is None or state.is_removed else {hand_over.STATE: state.value}
    conversation = Conversation(
        id=place.conversation_id,
        channel_id=message.channel_id,
        source=message.source,
        source_conversation_id=place.source_conversation_id,
        created_at=message.sent_at,
        unread_count=None,
        display_name=metadata.display_name_of(view, place.conversation_id),
        metadata=metadata.document_of(view, "conversation", place.conversation_id),
        last_message_id=message.id,
        last_message_at=message.sent_at,
        last_sender_id=message.sender_id,
        last_message=shown,
        message_count=0,
        erased_at=erased_at,
        is_with_people=hand_over.is_with_people(told, before=False),
    )
    view.conversations_by_time.put(keys.by_time(message.sent_at, conversation.id), b"")
    contacts.introduce(view, conversation)
    return conversation


def _advanced(
    view: View,
    present: Conversation,
    message: Message,
    shown: bytes,
    unread_count: int | None,
    message_count: int,
    last_inbound_at: Millis | None,
) -> Conversation:
    """Return a conversation whose newest message is `message`, and move it up in the list."""
    if message.sent_at != present.last_message_at:
        view.conversations_by_time.delete(keys.by_time(present.last_message_at, present.id))
        view.conversations_by_time.put(keys.by_time(message.sent_at, present.id), b"")
    return Conversation(
        present.id,
        message.channel_id,
        message.source,
        present.source_conversation_id,
        present.created_at,
        unread_count,
        present.display_name,
        present.metadata,
        message.id,
        message.sent_at,
        message.sender_id,
        shown,
        message_count,
        last_inbound_at,
        erased_at=present.erased_at,
        is_with_people=present.is_with_people,
    )
