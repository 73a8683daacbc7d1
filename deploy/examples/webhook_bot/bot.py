"""A bot that is called by a webhook and answers through the API: once, however often it is called.

1. Whoever has not the webhook's key is refused: the signature is checked over the body as it came.
2. The same event may come again (after a restart, a lost answer, `webhooks.replay`), with the same
   `webhook-id`. That makes the answer's idempotency key, so the platform sends it once: the bot
   has nothing to remember, and may run as often as you like.
3. If the answer cannot be sent the call fails, and the platform makes it again.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook, WebhookVerificationError

from airy_ray_client import AiryError, AsyncAiry

_signature = Webhook(os.environ["WEBHOOK_KEY"])


@asynccontextmanager
async def _connected(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("AIRY_URL", "http://127.0.0.1:8000")
    async with AsyncAiry(url, os.environ.get("AIRY_TOKEN")) as app.state.airy:
        yield


app = FastAPI(lifespan=_connected)


@app.post("/")
async def called(request: Request) -> Response:
    """Take an event; 204 says that there is no more to do about it."""
    try:
        event = _signature.verify(await request.body(), dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=HTTPStatus.UNAUTHORIZED)
    if event["type"] == "message.created" and event["payload"]["message"]["from_contact"]:
        await _answer(request.app.state.airy, event["payload"], request.headers["webhook-id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _answer(airy: AsyncAiry, payload: dict[str, Any], event_id: str) -> None:
    content = payload["message"]["content"]  # any JSON, in its source's own form
    text = content.get("text") if isinstance(content, dict) else None
    try:
        await airy.messages.send(
            conversation_id=payload["conversation_id"],
            message={"text": f"You said: {text or 'something'}"},
            idempotency_key=f"webhook-bot {event_id}",
        )
    except AiryError as error:
        if error.status != HTTPStatus.CONFLICT:  # else it was answered, in other words
            raise
