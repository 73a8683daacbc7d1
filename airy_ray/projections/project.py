"""The one door to all projections: an event in, rows and changes out."""

from typing import assert_never

from airy_ray.clock import Millis
from airy_ray.model import contact_events, events
from airy_ray.model.events import Event
from airy_ray.model.ids import ConversationId
from airy_ray.model.media_links import files_in
from airy_ray.model.message import is_recalled
from airy_ray.projections import (
    bots,
    changes,
    channels,
    contacts,
    conversations,
    custom_sources,
    erasure,
    history,
    linked_contacts,
    merges,
    messages,
    metadata,
    numbers,
    profiles,
    reactions,
    read_receipts,
    receipts,
    tombstones,
    waiting,
)
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

APPLIED = Effect("applied")
NOTHING_NEW = Effect("nothing new")
NOT_FOUND = Effect("not found")
WAITING = Effect("waiting")
"""Nothing has come of a record yet, and the ledger must not say that something has."""


def project(view: View, event: Event, at: Millis) -> Effect:
    """Fold one event, of a record that was received `at`, into the views.

    Raises nothing on purpose: an exception is a fault of ours, and the record goes to quarantine.
    """
    match event:  # what comes most is asked for first
        case events.MessageReceived():
            return messages.receive(view, event, at)
        case events.ConversationDescribed():
            return _describe(view, event, at)
        case events.MessageReplaced():
            return messages.replace(view, event, at)
        case events.MessageOverwritten():
            return custom_sources.receive(view, event, at)
        case events.EchoReceived():
            return messages.park_echo(view, event, at)
        case events.ReceiptReceived():
            return APPLIED if receipts.receive(view, event, at) else NOTHING_NEW
        case events.ReactionChanged():
            return _react(view, event, at)
        case events.MessageRecalled():
            return messages.recall(view, event, at)
        case events.MessageSent():
            return messages.send(view, event, at)
        case events.HoldExpired():
            return messages.give_up(view, event)
        case events.DeliveryAttempted():
            return messages.attempt(view, event)
        case events.DeliveryPutOff():
            return messages.put_off(view, event)
        case events.MessageDelivered():
            return messages.deliver(view, event, at)
        case events.MessageFailed():
            return messages.fail(view, event, at)
        case events.ReadTold():
            return APPLIED if read_receipts.told(view, event) else NOTHING_NEW
        case events.ProfileFetched():
            return _know(view, event, at)
        case events.ProfilePutOff():
            return APPLIED if profiles.put_off(view, event) else NOTHING_NEW
        case events.NumberSettled():
            return APPLIED if numbers.settle(view, event) else NOTHING_NEW
        case events.FilesKept():
            return _keep_files(view, event, at)
        case events.BotAsked():
            return APPLIED if bots.ask(view, event) else NOTHING_NEW
        case events.DialogueKept():
            return APPLIED if bots.keep(view, event, at) else messages.IGNORED_ERASED
        case events.FailureReceived():
            return messages.fail_later(view, event, at)
        case events.NamedMessageDescribed():
            return custom_sources.describe_named(view, event)
        case events.MessageDescribed():
            return APPLIED if custom_sources.describe(view, event) else NOTHING_NEW
        case events.ConversationRead():
            conversations.read(view, event)
        case events.ChannelStored():
            channels.store(view, event, at)
        case events.ChannelDisconnected():
            return APPLIED if channels.disconnect(view, event, at) else NOT_FOUND
        case events.ChannelDescribed():
            return APPLIED if channels.describe(view, event, at) else NOT_FOUND
        case events.BackfillAdvanced():
            return APPLIED if channels.advance(view, event, at) else NOTHING_NEW
        case events.ChannelSeen():
            waiting.channel_seen(view, event)
        case events.AliasKnown():
            waiting.alias_known(view, event)
            custom_sources.release(view, event)
        case events.ContactLinked():
            return APPLIED if linked_contacts.link(view, event) else NOTHING_NEW
        case events.ConversationsErased():
            return APPLIED if erasure.erase(view, event, at) else NOTHING_NEW
        case events.ErasureDue(erased=erased):
            tombstones.spread(view, erased)
        case events.RetentionDue():
            return APPLIED if erasure.retain(view, event, at) else NOTHING_NEW
        case events.FilesLeft():
            erasure.leave_files(view, event)
        case events.WaitingFor():
            waiting.wait(view, event)
            return WAITING
        case (
            contact_events.ConversationClaimed()
            | contact_events.ConversationPassed()
            | contact_events.ConversationLeft()
            | contact_events.ConversationGranted()
            | contact_events.ConversationLost()
        ):
            contacts.receive(view, event, at)
        case (
            contact_events.ContactMerged()
            | contact_events.MergeFollowed()
            | contact_events.LoopFound()
            | contact_events.ContactRestored()
            | contact_events.ContactKept()
        ):
            merges.receive(view, event, at)
        case events.RecordsLost(first=first, last=last):
            changes.records_lost(view, first, last, at)
        case events.HistorySwapped():
            history.swap(view, event, at)
        case _:
            assert_never(event)
    return APPLIED


def _react(view: View, event: events.ReactionChanged, at: Millis) -> Effect:
    conversation = event.place.conversation_id
    if tombstones.is_late(view, conversation, event.at):
        tombstones.sweep_later(view, conversation, at)
        return messages.IGNORED_ERASED
    return APPLIED if reactions.change(view, event, at) else NOTHING_NEW


def _know(view: View, event: events.ProfileFetched, at: Millis) -> Effect:
    if tombstones.is_gone(view, event.conversation_id):
        tombstones.sweep_record(view, event.conversation_id, at)
        erasure.leave_files(view, _left(files_in(*event.values.values())))
        return messages.IGNORED_ERASED
    conversation = event.conversation_id
    before = _files_of(view, conversation) | files_in(*event.values.values())
    is_news = profiles.know(view, event)
    left = before - _files_of(view, conversation)
    if left:  # of the picture before it, or of one that came too late
        erasure.leave_files(view, _left(left))
    return APPLIED if is_news else NOTHING_NEW


def _left(files: set[str]) -> events.FilesLeft:
    return events.FilesLeft(tuple(sorted(files)))


def _files_of(view: View, conversation: ConversationId) -> set[str]:
    present = view.conversations.get(conversation)
    return set() if present is None else files_in(present.metadata)


def _keep_files(view: View, event: events.FilesKept, at: Millis) -> Effect:
    message = messages.known(view, event.message_id)
    if message is None:  # erased meanwhile
        erasure.leave_files(view, _left(files_in(*event.values.values())))
        return messages.IGNORED_UNKNOWN_MESSAGE
    described = metadata.describe_message(
        view, None, message.id, event.values, at, is_news=not is_recalled(message)
    )
    return APPLIED if described else NOTHING_NEW


def _describe(view: View, event: events.ConversationDescribed, at: Millis) -> Effect:
    conversation = event.place.conversation_id
    if tombstones.is_gone(view, conversation):
        tombstones.sweep_later(view, conversation, at)
        return messages.IGNORED_ERASED
    described = metadata.describe_conversation(view, conversation, event.values, event.at)
    return APPLIED if described else NOTHING_NEW
