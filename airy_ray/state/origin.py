"""Where a generation of the state comes from: kept among its facts, wherever it goes."""

from functools import cache
from importlib.metadata import version
from typing import Any, Literal

import msgspec

from airy_ray.clock import Millis, now_millis

Kind = Literal["live", "replay", "upgrade", "restore", "repair", "erasure"]


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a generation was made of, when, and by which release.

    Attributes:
        kind: `live`: records as they came, from the first on. `replay`: history that was processed
            again. `upgrade`: the same at a start, for this release cannot go on with what there
            was. `restore`: the log of a backup. `repair`: history, for what there was had been
            damaged, or was in doubt. `erasure`: what an erasure has left of history.
        at: when it was begun, or when a replay had made it.
        until: the offset up to which it was made of history, end exclusive; what follows was folded
            as it came.
        run: the number of the replay.
        selection: what of history a replay was to take; all, if it says nothing.
    """

    kind: Kind
    release: str
    at: Millis
    until: int
    run: int | None = None
    selection: dict[str, Any] = {}


def origin(
    kind: Kind, until: int, *, run: int | None = None, selection: dict[str, Any] | None = None
) -> Origin:
    """Return the origin of what this release makes now."""
    return Origin(kind, _release(), now_millis(), until, run, selection or {})


encode_origin = msgspec.msgpack.Encoder().encode
decode_origin = msgspec.msgpack.Decoder(Origin).decode


@cache
def _release() -> str:
    return version("airy-ray")
