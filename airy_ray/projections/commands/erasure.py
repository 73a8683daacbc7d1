"""People forgotten because somebody wished it."""

from airy_ray.clock import Millis
from airy_ray.model.commands import EraseContact
from airy_ray.model.events import ConversationsErased
from airy_ray.model.ids import CommandId, ContactId, ConversationId, parse_id
from airy_ray.projections import erasure
from airy_ray.projections.commands.outcome import APPLIED, Handler, Outcome
from airy_ray.projections.view import View


def erase_contact(view: View, command: EraseContact, _: CommandId, at: Millis) -> Outcome:
    """Forget a person here at once, and tell all partitions to do the same."""
    conversations = tuple(ConversationId(parse_id(each)) for each in command.conversation_ids)
    contacts = tuple(ContactId(parse_id(each)) for each in command.contact_ids)
    erased = ConversationsErased(conversations, contacts, at, is_whole=True)
    erasure.erase(view, erased, at)
    erasure.spread(view, erased)
    return Outcome(APPLIED, 200)


HANDLERS: dict[type, Handler] = {EraseContact: erase_contact}
