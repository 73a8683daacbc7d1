"""What becomes of rows that an earlier release has made: a replay is offered, or done at a start.

They are served meanwhile, and gone on with; see `state.tables.READABLE_SINCE`. All of history is
replayed once for each version of the projection: what the guard against vanishing messages refuses,
and what somebody cancels or rolls back, is offered from then on.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from airy_ray.replay.run import Run
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE

OnUpgrade = Literal["offer", "run"]
Step = Literal["nothing", "wait", "start", "swap", "offer"]


def next_step(projections: Iterable[int], run: Run | None) -> Step:
    """Return what is to be done next, if history is to be replayed without anybody asking.

    Args:
        projections: the versions that have made the rows of each partition.
        run: the newest replay.
    """
    if all(each >= PROJECTION_VERSION for each in projections):
        return "nothing"
    if run is None:
        return "start"
    if not run.is_at_rest:
        return "wait"
    if run.upgrades_to != PROJECTION_VERSION:
        # somebody else's; they may be about to swap it
        return "wait" if run.phase == "ready" else "start"
    match run.phase:
        case "ready":
            return "swap"
        case "swapped":  # who tells the versions has not noticed yet
            return "wait"
        case _:
            return "offer"


def notice(projections: Mapping[str, int], on_upgrade: OnUpgrade) -> str | None:
    """Return a line about partitions whose rows an earlier release has made; None without any."""
    older = {name: each for name, each in projections.items() if each < PROJECTION_VERSION}
    if not older:
        return None
    versions = ", ".join(str(each) for each in sorted(set(older.values())))
    made = (
        f"the rows of {', '.join(older)} are of version {versions} of the projection, "
        f"this release makes version {PROJECTION_VERSION}"
    )
    if min(older.values()) < READABLE_SINCE:
        return f"{made}: they are made anew before they are served"
    if on_upgrade == "run":
        return f"{made}: they are served, and made anew beside that"
    return (
        f"{made}: they are served, and `airy-ray replay start --swap` makes them anew beside that"
    )
