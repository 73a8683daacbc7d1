"""When a source is asked for a contact's profile again, and when no more (sources §1.4)."""

from airy_ray.clock import Millis
from airy_ray.model.channel import Channel
from airy_ray.projections.channels import token_error
from airy_ray.projections.view import WantedProfile
from airy_ray.sources.sending import Later

_WAITS_S = (60.0, 300.0, 1_800.0, 7_200.0)
"""How long after each try that came to nothing; after one more it is given up."""


def may_ask(channel: Channel | None, *, needs_token: bool) -> bool:
    """Whether a source may be asked for the contacts of a channel, or they wait until it may."""
    if channel is None or not channel.connected:
        return False
    return not needs_token or (bool(channel.token) and token_error(channel) is None)


def is_last(wanted: WantedProfile) -> bool:
    """Whether the next try is the last."""
    return wanted.tries >= len(_WAITS_S)


def due_again(wanted: WantedProfile, told: Later, at: Millis, chance: float) -> Millis | None:
    """Return when to ask again, None if never; `chance` in [0, 1) keeps contacts apart."""
    if is_last(wanted):
        return None
    wait_s = max(_WAITS_S[wanted.tries] * (1 + chance / 2), told.after_s or 0.0)
    return Millis(at + int(wait_s * 1_000))
