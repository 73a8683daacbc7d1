"""The endpoints that webhooks are called at, in a process that may be killed at any time.

What is taken is in a journal before it is answered: who is killed forgets nothing. Calls fail in
turn: refused, never answered, or answered as if they had not been taken.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NEVER_WELL = ("silent", "failing")
"""Endpoints of which one never answers, and one always that it failed."""

_FAULTS = {"refused": 0.03, "hung": 0.004, "denied": 0.01}
"""How often a call fails, and how: what is denied was taken all the same."""
_WEIGHTS = (1 - sum(_FAULTS.values()), *_FAULTS.values())
_REFUSALS = (400, 429, 500, 503)
_HANG_S = 3_600.0


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """A call that was taken: which endpoint was called, and with what."""

    endpoint: str
    event_id: str
    conversation: str
    message: str


def taken_in(journal: Path) -> Iterator[Taken]:
    """Yield the calls that were taken, oldest first."""
    with journal.open("rb") as lines:
        for line in lines:
            yield _decode_taken(line)


class _Receivers:
    def __init__(self, journal: Path, random: Random | None) -> None:
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._random = random

    async def take(self, request: Request) -> Response:
        endpoint, fault = request.path_params["endpoint"], self._fault()
        if endpoint == "silent" or fault == "hung":
            await asyncio.sleep(_HANG_S)
        if endpoint == "failing":
            return Response(status_code=500)
        if fault != "refused":
            self._note(endpoint, request.headers["webhook-id"], await request.body())
        return Response() if fault is None else self._refusal()

    def _fault(self) -> str | None:
        if self._random is None:
            return None
        [fault] = self._random.choices([None, *_FAULTS], _WEIGHTS)
        return fault

    def _note(self, endpoint: str, event_id: str, body: bytes) -> None:
        told = _decode_told(body).payload
        taken = Taken(endpoint, event_id, told.conversation_id, told.message.id)
        os.write(self._journal, msgspec.json.encode(taken) + b"\n")

    def _refusal(self) -> Response:
        assert self._random is not None
        return Response(status_code=self._random.choice(_REFUSALS))


class _Message(msgspec.Struct):
    id: str


class _Payload(msgspec.Struct):
    conversation_id: str
    message: _Message


class _Told(msgspec.Struct):
    payload: _Payload


_decode_told = msgspec.json.Decoder(_Told).decode
_decode_taken = msgspec.json.Decoder(Taken).decode


def main(port: str, journal: str, seed: str) -> None:
    """Take calls until killed; without a seed nothing fails."""
    receivers = _Receivers(Path(journal), Random(seed) if seed else None)
    routes = [Route("/{endpoint}", receivers.take, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=int(port), log_level="error", loop="uvloop")


if __name__ == "__main__":
    main(*sys.argv[1:])
