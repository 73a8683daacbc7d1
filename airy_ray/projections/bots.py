"""What bots were asked, once about each message, and what they want to be told again."""

from airy_ray.clock import Millis
from airy_ray.model.events import BotAsked, DialogueKept
from airy_ray.projections import keys, tombstones
from airy_ray.projections.view import View


def ask(view: View, event: BotAsked) -> bool:
    """Note who asks a bot about a message; return whether nobody was before."""
    key = keys.asked(event.conversation_id, event.message_id, event.bot)
    is_known = view.message_keys.get(event.message_id) is not None
    if not is_known or view.asked.get(key) is not None:
        return False
    view.asked.put(key, event.run.to_bytes(8, "big"))
    return True


def keep(view: View, event: DialogueKept, at: Millis) -> bool:
    """Keep what a bot wants to be told; return False if its conversation was erased meanwhile."""
    conversation = event.conversation_id
    if view.conversations.get(conversation) is None:
        tombstones.sweep_record(view, conversation, at)
        return False
    view.dialogues.put(keys.dialogue(conversation, event.bot), event.context)
    return True
