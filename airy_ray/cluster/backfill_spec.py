"""How much of the past of pages is fetched; plain values, handed on by processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from airy_ray.config import Facebook  # the courier does without what it is made of


class BackfillSpec(msgspec.Struct, frozen=True):
    """What is fetched for a page that was connected.

    Attributes:
        graph_url: where Meta is asked, with the version.
        conversations_max: how many conversations, those last written in first.
        messages_max: how many messages of each, the newest first.
    """

    graph_url: str
    conversations_max: int
    messages_max: int


def backfill_spec(facebook: Facebook) -> BackfillSpec | None:
    """Return what is configured; None if nothing is fetched."""
    wished = facebook.backfill
    if not wished.conversations:
        return None
    graph_url = f"{facebook.api_url.rstrip('/')}/{facebook.graph_version}"
    return BackfillSpec(graph_url, wished.conversations, wished.messages)
