"""People forgotten because somebody wished it."""

from airy_ray.clock import Millis
from airy_ray.model.commands import EraseContact, SettleFiles
from airy_ray.model.events import ConversationsErased
from airy_ray.model.ids import CommandId, ContactId, ConversationId, parse_id
from airy_ray.projections import erasure, keys, tombstones
from airy_ray.projections.commands.outcome import APPLIED, Handler, Outcome
from airy_ray.projections.view import View


def erase_contact(view: View, command: EraseContact, _: CommandId, at: Millis) -> Outcome:
    """Forget a person here at once, and tell all partitions to do the same."""
    conversations = tuple(ConversationId(parse_id(each)) for each in command.conversation_ids)
    contacts = tuple(ContactId(parse_id(each)) for each in command.contact_ids)
    erased = ConversationsErased(conversations, contacts, at, is_whole=True)
    erasure.erase(view, erased, at)
    tombstones.spread(view, erased)
    return Outcome(APPLIED, 200)


def settle_files(view: View, command: SettleFiles, _: CommandId, __: Millis) -> Outcome:
    """Forget files that were looked after."""
    for name, left_at in command.files.items():
        if view.left_files.get(name.encode()) == keys.offset(left_at):
            view.left_files.delete(name.encode())
    return Outcome(APPLIED, 200)


HANDLERS: dict[type, Handler] = {EraseContact: erase_contact, SettleFiles: settle_files}
