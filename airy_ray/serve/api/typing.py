"""`conversations.typing`: that somebody writes an answer (beyond the contract)."""

from airy_ray.errors import ConversationNotFoundError
from airy_ray.model.ids import ConversationId
from airy_ray.serve import ephemeral_events
from airy_ray.serve.api import examples
from airy_ray.serve.api.conversations import OneConversation
from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response


class Typing(OneConversation):
    """In which conversation, and whether still."""

    model_config = example(conversation_id=examples.CONVERSATION_ID)
    typing: bool = True


async def typing(platform: Platform, caller: Caller, asked: Typing) -> Response:
    """Tell who is connected; it holds for ten seconds, and is kept nowhere."""
    identifier = ConversationId(asked.conversation_id)
    found = await platform.partitions.conversation(identifier)
    if found is None:
        raise ConversationNotFoundError
    event = ephemeral_events.typing(
        identifier, found.channel_id, caller.principal, from_contact=False, is_on=asked.typing
    )
    platform.ephemeral.tell(event)
    return Response(202)


ENDPOINTS = [
    Endpoint(
        "/conversations.typing",
        typing,
        Typing,
        "Say that somebody writes an answer",
        status=202,
        failures=(404,),
    )
]
