"""`chatplugin.*`: visitors of a website (contract: platform API §12.2, sources §8)."""

import os
import time
from dataclasses import replace

from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.model import json_text, message
from airy_ray.model.commands import VisitorSend
from airy_ray.model.ids import ConversationId, format_id, parse_id, random_id
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.channels import connected
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalId, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.messages import all_messages, message_text
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.tokens import Visit, bearer
from airy_ray.serve.http import Response

_SOURCE = "chatplugin"


class Authenticate(Body):
    """A channel to begin a conversation on, or a token to go on with one."""

    model_config = example(channel_id=examples.CHANNEL_ID)
    channel_id: OptionalId = None
    resume_token: OptionalText = None


class ResumeToken(Body):
    """Nothing for visitors; with the system token, whose conversation."""

    model_config = example({})
    channel_id: OptionalText = None
    conversation_id: OptionalText = None


class Send(Body):
    """What the visitor writes."""

    model_config = example(message=examples.HELLO)
    message: object = Field(description="Any JSON but null; kept as it is.")


async def authenticate(platform: Platform, _: Caller, asked: Authenticate) -> Response:
    """Let a visitor in: on a conversation that begins with the first message, or one that was."""
    if asked.resume_token is not None:
        visit = platform.tokens.read_resume(asked.resume_token)
        shown = await _shown_messages(platform, visit)
    elif asked.channel_id is not None:
        channel = connected(platform, asked.channel_id)
        if channel.source != _SOURCE:
            raise RequestError(404)
        visit = Visit(format_id(random_id(os.urandom(16))), format_id(channel.id))
        shown = []
    else:
        raise RequestError(400, "channel_id or resume_token is required")
    token = platform.tokens.visit(visit, int(time.time()))
    body = b'{"token":%b,"messages":[%b]}' % (json_text.quote(token), b",".join(shown))
    return Response(body=body)


async def resume_token(platform: Platform, caller: Caller, asked: ResumeToken) -> Response:
    """Return a token with which the visitor can come back."""
    token = bearer(caller.headers.get("authorization"))
    if token is None:
        raise RequestError(400, "an Authorization header is required")
    if platform.callers.is_system(token):
        if asked.channel_id is None or asked.conversation_id is None:
            raise RequestError(400, "channel_id and conversation_id are required")
        visit = Visit(asked.conversation_id, asked.channel_id)
    else:
        visit = platform.tokens.read_visit(token)
    resumed = platform.tokens.resume(visit, int(time.time()))
    return Response(body=json_text.encode({"resume_token": resumed}))


async def send(platform: Platform, caller: Caller, asked: Send) -> Response:
    """Store what a visitor writes; the conversation begins with the first message."""
    token = bearer(caller.headers.get("authorization"))
    if token is None:
        raise RequestError(401, "a visitor's token is required")
    if platform.callers.is_system(token):
        raise RequestError(403)
    visit = platform.tokens.read_visit(token)
    if asked.message is None:
        raise RequestError(400, "message: is required")
    try:
        conversation = ConversationId(parse_id(visit.conversation_id))
        channel = parse_id(visit.channel_id)
    except ValueError:
        raise RequestError(401, "the token is for no conversation") from None
    connected(platform, channel)
    visitor = replace(caller, principal=visit.conversation_id)
    command = VisitorSend(
        **visitor.signed(conversation),
        conversation_id=format_id(conversation),
        channel_id=format_id(channel),
        message=message_text(caller.body),
    )
    return await platform.carry_out(command)


async def _shown_messages(platform: Platform, visit: Visit) -> list[bytes]:
    try:
        conversation = ConversationId(parse_id(visit.conversation_id))
    except ValueError:
        return []  # the system may make tokens for any string
    rows = await all_messages(platform, conversation)
    return [message.rendered(row, with_metadata=False) for row in rows]


ENDPOINTS = [
    Endpoint(
        "/chatplugin.authenticate",
        authenticate,
        Authenticate,
        "Let a visitor in",
        shapes.VisitorEntered,
        failures=(401, 404),
        is_open=True,
    ),
    Endpoint(
        "/chatplugin.resumeToken",
        resume_token,
        ResumeToken,
        "Make a token for coming back",
        shapes.ComeBack,
        failures=(401,),
        is_visitors=True,
        is_open=True,
        may_be_empty=True,
    ),
    Endpoint(
        "/chatplugin.send",
        send,
        Send,
        "Send a visitor's message",
        shapes.Message,
        examples={200: examples.BARE_MESSAGE},
        failures=(401, 404),
        is_open=True,
        is_visitors=True,
    ),
]
