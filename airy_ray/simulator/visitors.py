"""Visitors of a website: let in, writing one message after the other, coming back to the page."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airy_ray.clock import Millis
from airy_ray.simulator import website
from airy_ray.simulator.gates import Gates
from airy_ray.simulator.http import HttpClient, Reply
from airy_ray.simulator.oracle import Oracle
from airy_ray.simulator.retries import Retries
from airy_ray.simulator.story import Thread, Visit, Written

_TIMEOUT_S = 15.0
"""Longer than the platform lets a command wait."""


@dataclass
class _Visitor:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str | None = None
    written: set[str] = field(default_factory=set)


class Visitors:
    """Write through the chat plugin, each one message at a time."""

    def __init__(self, http: HttpClient, retries: Retries, oracle: Oracle, gates: Gates) -> None:
        self.channel_id = ""
        """The channel of the website; known once it is connected."""
        self.forgotten: list[str] = []
        """Messages that a visitor who came back was not shown."""
        self._http = http
        self._retries = retries
        self._oracle = oracle
        self._gates = gates
        self._visitors: dict[Thread, _Visitor] = defaultdict(_Visitor)

    async def write(self, visit: Visit) -> bool:
        """Write a message; return whether it was acknowledged."""
        visitor = self._visitors[visit.thread]
        async with visitor.turn:
            if visitor.token is None:
                await self._come(visitor, {"channel_id": self.channel_id})
            elif visit.is_back:
                await self._come_back(visitor)
            if visitor.token is None:
                return False
            async with self._gates.passing([visit.thread]):
                return await self._written(visitor, visit)

    async def repeat(self, visit: Visit) -> None:
        """Send a message once more that was acknowledged before."""
        await self._send(self._visitors[visit.thread], visit)

    async def _written(self, visitor: _Visitor, visit: Visit) -> bool:
        written = Written(visit.thread, visit.key, None, True, visit.content)
        self._oracle.send([written])
        sends = [self._send(visitor, visit)]
        if visit.repeat_after_s == 0:
            sends.append(self._send(visitor, visit))
        replies = [reply for reply in await asyncio.gather(*sends) if reply is not None]
        if not replies:
            return False
        self._oracle.acknowledge([_acknowledged(written, replies[0])])
        visitor.written.add(visit.key)
        return True

    async def _send(self, visitor: _Visitor, visit: Visit) -> Reply | None:
        headers = [
            ("authorization", f"Bearer {visitor.token}"),
            ("idempotency-key", visit.key),
        ]
        body = b'{"message":' + visit.content + b"}"
        return await self._retries.until(
            lambda: self._http.post("/chatplugin.send", body, headers, timeout_s=_TIMEOUT_S)
        )

    async def _come(self, visitor: _Visitor, asked: dict[str, str]) -> None:
        body = json.dumps(asked).encode()
        reply = await self._retries.until(
            lambda: self._http.post("/chatplugin.authenticate", body, timeout_s=_TIMEOUT_S)
        )
        if reply is None:
            return
        answer = json.loads(reply.body)
        visitor.token = answer["token"]
        shown = {website.key_of(message["content"]) for message in answer["messages"]}
        self.forgotten += visitor.written - shown

    async def _come_back(self, visitor: _Visitor) -> None:
        """Reload the page: what was written before has to be there again."""
        headers = [("authorization", f"Bearer {visitor.token}")]
        reply = await self._retries.until(
            lambda: self._http.post("/chatplugin.resumeToken", b"", headers, timeout_s=_TIMEOUT_S)
        )
        if reply is not None:
            await self._come(visitor, {"resume_token": json.loads(reply.body)["resume_token"]})


def _acknowledged(written: Written, reply: Reply) -> Written:
    answer: dict[str, Any] = json.loads(reply.body)
    sent_at = datetime.fromisoformat(answer["sent_at"]).timestamp() * 1_000
    return replace(written, sent_at=Millis(round(sent_at)), identifier=answer["id"])
