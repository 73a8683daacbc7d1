"""The action endpoint of a custom source, played (contract: sources §9)."""

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airy_ray.simulator.intake import Intake, Trouble

PATH = "/action"
_TEXT_MAX = 8_000
_REFUSALS = {
    Trouble.OUTSIDE_WINDOW: (403, "The contact wants no messages"),
    Trouble.RATE_LIMITED: (429, "Too many requests"),
    Trouble.DOWN: (503, "Down for maintenance"),
    Trouble.TOKEN_EXPIRED: (401, "The token was revoked"),
}


class ActionEndpoint:
    """The program of one source: it knows the source's token, which signs our calls.

    As long as it knows none it takes whatever comes.
    """

    def __init__(self, token: str = "") -> None:
        self.intake = Intake()
        self.token = token

    def take(self, body: bytes, signature: str, told: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and body with which the program answers a call."""
        expected = hmac.digest(self.token.encode(), body, "sha256").hex()
        is_signed = hmac.compare_digest(expected.encode(), signature.encode())
        if self.token and not is_signed:
            return 403, {"error": "Wrong signature"}
        payload = told["payload"]
        message, conversation = payload["message"], payload.get("conversation") or {}
        to = message["source_recipient_id"]
        trouble = self.intake.meet(to)
        if trouble is not None:
            status, why = _REFUSALS[trouble]
            return status, {"error": why}
        if len(str(message["content"])) > _TEXT_MAX:
            return 400, {"error": "Too long"}
        known_as = f"a-{self.intake.count}"
        self.intake.take(
            conversation.get("source_channel_id", ""), to, message["content"], known_as
        )
        return 200, {"source_message_id": known_as}


def routes(program: ActionEndpoint) -> list[Route]:
    """Return where the program is called."""

    async def called(request: Request) -> Response:
        body, signature = await request.body(), request.headers.get("x-airy-content-signature", "")
        try:
            asked = await request.json()
            status, told = program.take(body, signature, asked)
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"Not understood: {error}"}, status_code=400)
        if status != 200:
            return JSONResponse(told, status_code=status)
        to = asked["payload"]["message"]["source_recipient_id"]
        return await program.intake.answer(to, told)

    return [Route(PATH, called, methods=["POST"])]
