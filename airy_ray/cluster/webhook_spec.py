"""What the process that calls webhooks is told of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from airy_ray.publishing.events import Lineage

if TYPE_CHECKING:
    from airy_ray.cluster.layout import Layout
    from airy_ray.config import Settings  # the publisher does without what it is made of


class CallingSpec(msgspec.Struct, frozen=True, array_like=True):
    """How webhooks are called.

    Attributes:
        lineage: names the lines of records that ids of events begin with.
        directory: where the publisher keeps its environment.
        at_once: how many calls to one endpoint are on their way at once.
        hold_ms: how long what follows waits for an event that fails.
    """

    lineage: Lineage
    directory: str
    allow_private_networks: bool
    at_once: int
    hold_ms: int


def calling_spec(settings: Settings, layout: Layout) -> CallingSpec:
    """Return how webhooks are called, as the settings have it."""
    return CallingSpec(
        lineage=layout.lineage,
        directory=str(backlog_directory(settings.data)),
        allow_private_networks=settings.webhooks.allow_private_networks,
        at_once=settings.webhooks.at_once,
        hold_ms=int(settings.webhooks.hold_s * 1_000),
    )


def backlog_directory(data: Path) -> Path:
    """Return where the publisher keeps its environment."""
    return data.resolve() / "webhooks"
