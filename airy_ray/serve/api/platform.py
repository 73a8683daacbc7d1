"""What endpoints work with: partitions, registry, settings, the way out to platforms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import httpx

from airy_ray.cluster.commands import Commands
from airy_ray.cluster.ephemeral import EphemeralSender
from airy_ray.cluster.machine import Machine
from airy_ray.cluster.media.store import MediaStore
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.errors import RequestError
from airy_ray.model.commands import AnyCommand, ClaimKey
from airy_ray.model.ids import (
    CommandId,
    PartitionIndex,
    Slot,
    command_id,
    format_id,
    random_id,
    slot_of,
)
from airy_ray.projections.view import Answer
from airy_ray.serve.api.callers import ANYBODY, Callers, Grant
from airy_ray.serve.api.tokens import Tokens
from airy_ray.serve.http import Response

_KEY_BYTES_MAX = 255


@dataclass(frozen=True)
class Platform:
    """Everything an endpoint may use.

    Attributes:
        http: for calls to messaging platforms.
        media: where files are.
        ephemeral: what is of use for a moment only goes out this way.
    """

    settings: Settings
    machine: Machine
    partitions: Partitions
    commands: Commands
    tokens: Tokens
    callers: Callers
    http: httpx.AsyncClient
    media: MediaStore
    ephemeral: EphemeralSender

    async def carry_out(self, command: AnyCommand) -> Response:
        """Have the partition of a command's slot carry it out; return its answer."""
        return _response(await self.commands.carry_out(command))

    async def carry_out_everywhere(self, command: AnyCommand) -> Response:
        """Do the same, and wait until other partitions know what they are told of it."""
        return _response(await self.commands.carry_out_everywhere(command))

    async def register(self, command: AnyCommand) -> Response:
        """Have the registry carry a command out; return its answer."""
        return _response(await self.commands.register(command))

    async def carry_out_in(self, partition: PartitionIndex, command: AnyCommand) -> Response:
        """Have a partition carry a command out that is about what lies there; return its answer."""
        return _response(await self.commands.carry_out_in(partition, command))

    async def claim(self, caller: Caller) -> None:
        """Have the caller's idempotency key, if there is one, stand for this request.

        Where the claim lies follows from the key alone, so another request is noticed wherever
        its own command would go.

        Raises:
            RequestError: 409, the key stands for another request; 400, it is no key.
        """
        if caller.key is None:
            return
        place = blake2b(caller.seed(), digest_size=16, person=b"claim").digest()
        claim = ClaimKey(
            id=format_id(random_id(place)), principal=caller.principal, request=caller.request
        )
        await self.commands.carry_out(claim)


@dataclass(frozen=True)
class Caller:
    """Who calls, and with what around the body.

    Attributes:
        principal: whose id becomes the sender of messages.
        headers: names in lower case.
        body: as it came.
        path: of the endpoint that is called.
        grant: what the caller may do.
    """

    principal: str
    headers: Mapping[str, str]
    body: bytes
    path: str = ""
    grant: Grant = ANYBODY

    @property
    def key(self) -> str | None:
        """The key under which a repeated request is the same request.

        Raises:
            RequestError: 400, it is empty or too long.
        """
        key = self.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= _KEY_BYTES_MAX:  # bytes came as Latin-1
            raise RequestError(400, f"Idempotency-Key: 1 to {_KEY_BYTES_MAX} bytes")
        return key

    @property
    def request(self) -> str:
        """Digest of all that is asked, in hexadecimal digits."""
        asked = self.path.encode("utf-8", "surrogatepass") + b"\0" + self.body
        return blake2b(asked, digest_size=16, person=b"request").hexdigest()

    def seed(self, part: str = "") -> bytes:
        """Return what makes the ids of commands: the same for the same key of the same principal.

        `part` tells the commands of one request apart.
        """
        key = self.key
        return os.urandom(16) if key is None else "\0".join((self.principal, key, part)).encode()

    def command_id(self, slot: Slot, part: str = "") -> CommandId:
        """Return the id of the caller's command: the same for the same `Idempotency-Key`."""
        return command_id(slot, self.seed(part))

    def signed(self, near: bytes | None = None, part: str = "") -> dict[str, str]:
        """Return what a command says of its caller: its id, and whose it is.

        `near` is the id of what it is about, whose partition carries it out; the registry needs
        none. A request with a key makes one command for each of them and each `part`, no more.
        """
        slot = Slot(0) if near is None else slot_of(near)
        signature = {"id": format_id(self.command_id(slot, part)), "principal": self.principal}
        return signature if self.key is None else signature | {"request": self.request}


def _response(answer: Answer) -> Response:
    return Response(answer.status, answer.body)
