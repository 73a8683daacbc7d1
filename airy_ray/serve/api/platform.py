"""What endpoints work with: partitions, registry, settings, the way out to platforms."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from airy_ray.cluster.machine import Machine
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.model.commands import AnyCommand
from airy_ray.model.ids import CommandId, Slot, command_id, format_id, slot_of
from airy_ray.projections.view import Answer
from airy_ray.serve.api.tokens import Callers, Tokens
from airy_ray.serve.http import Response
from airy_ray.serve.media.store import MediaStore


@dataclass(frozen=True)
class Platform:
    """Everything an endpoint may use.

    Attributes:
        http: for calls to messaging platforms.
        media: where files are.
    """

    settings: Settings
    machine: Machine
    partitions: Partitions
    tokens: Tokens
    callers: Callers
    http: httpx.AsyncClient
    media: MediaStore

    async def carry_out(self, command: AnyCommand) -> Response:
        """Have the partition of a command's slot carry it out; return its answer."""
        return _response(await self.partitions.carry_out(command))

    async def carry_out_everywhere(self, command: AnyCommand) -> Response:
        """Do the same, and wait until other partitions know what they are told of it."""
        return _response(await self.partitions.carry_out_everywhere(command))

    async def register(self, command: AnyCommand) -> Response:
        """Have the registry carry a command out; return its answer."""
        return _response(await self.partitions.register(command))


@dataclass(frozen=True)
class Caller:
    """Who calls, and with what around the body.

    Attributes:
        principal: whose id becomes the sender of messages.
        headers: names in lower case.
        body: as it came.
    """

    principal: str
    headers: Mapping[str, str]
    body: bytes

    def command_id(self, slot: Slot, part: str = "") -> CommandId:
        """Return the id of the caller's command: the same for the same `Idempotency-Key`."""
        seed = self.seed(part)
        return command_id(slot, os.urandom(16) if seed is None else seed)

    def seed(self, part: str = "") -> bytes | None:
        """Return what is the same for the same `Idempotency-Key`; None if there is none.

        `part` tells the commands of one request apart.
        """
        key = self.headers.get("idempotency-key")
        return None if key is None else f"{self.principal}\0{key}{part and chr(0) + part}".encode()

    def signed(self, near: bytes | None = None, part: str = "") -> dict[str, str]:
        """Return what a command says of its caller: its id, and whose it is.

        `near` is the id of what it is about, whose partition carries it out; the registry needs
        none. `part` tells the commands of one request apart.
        """
        slot = Slot(0) if near is None else slot_of(near)
        return {"id": format_id(self.command_id(slot, part)), "principal": self.principal}


def _response(answer: Answer) -> Response:
    return Response(answer.status, answer.body)
