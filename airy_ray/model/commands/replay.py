"""Commands about the replay of history: each notes who wished it, what is done is the owners'."""

from airy_ray.model.commands.base import Command


class StartReplay(Command, frozen=True, kw_only=True, tag="replay.start"):
    """History is to be processed again."""


class SwapReplay(Command, frozen=True, kw_only=True, tag="replay.swap"):
    """What a replay made is to take the place of what there is."""


class CancelReplay(Command, frozen=True, kw_only=True, tag="replay.cancel"):
    """What a replay made is to be thrown away."""


class RollBackReplay(Command, frozen=True, kw_only=True, tag="replay.rollback"):
    """What was before a replay's swap is to be brought back."""


ReplayCommand = StartReplay | SwapReplay | CancelReplay | RollBackReplay
