"""What endpoints work with: partitions, registry, settings, the way out to platforms."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from airy_ray.cluster.machine import Machine
from airy_ray.cluster.partitions import Partitions
from airy_ray.config import Settings
from airy_ray.model.ids import CommandId, Slot, command_id
from airy_ray.serve.api.tokens import Callers, Tokens


@dataclass(frozen=True)
class Platform:
    """Everything an endpoint may use.

    Attributes:
        http: for calls to messaging platforms.
    """

    settings: Settings
    machine: Machine
    partitions: Partitions
    tokens: Tokens
    callers: Callers
    http: httpx.AsyncClient


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

    def command_id(self, slot: Slot) -> CommandId:
        """Return the id of the caller's command: the same for the same `Idempotency-Key`."""
        key = self.headers.get("idempotency-key")
        if key is None:
            return command_id(slot, os.urandom(16))
        return command_id(slot, f"{self.principal}\0{key}".encode())
