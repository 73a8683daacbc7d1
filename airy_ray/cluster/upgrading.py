"""Has history replayed after an upgrade, if that is wished: a step each time somebody looks."""

import logging
from collections.abc import Mapping, Sequence

from airy_ray.clock import now_millis
from airy_ray.errors import ReplayError
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay import run as runs
from airy_ray.replay import upgrade
from airy_ray.replay.selection import Selection
from airy_ray.state.tables import PROJECTION_VERSION

logger = logging.getLogger(__name__)


class Upgrading:
    """Sees to it that rows of an earlier projection are made anew, or says that they could be.

    Attributes:
        is_over: whether nothing is left to be done before the next start.
    """

    def __init__(self, specs: Sequence[PartitionSpec], on_upgrade: upgrade.OnUpgrade) -> None:
        self._specs = specs
        self._on_upgrade = on_upgrade
        self.is_over = False

    def look(self, projections: Mapping[str, int]) -> None:
        """Do the next step, given which version has made the rows of each partition."""
        step = upgrade.next_step(projections.values(), runs.status(self._specs))
        if self._on_upgrade == "offer" and step != "nothing":
            step = "offer"
        try:
            self._do(step, projections)
        except ReplayError as error:  # the guard, or somebody else has ordered something just now
            logger.warning("what a replay after an upgrade has made stays offered: %s", error)
            self.is_over = True

    def _do(self, step: upgrade.Step, projections: Mapping[str, int]) -> None:
        match step:
            case "start":
                logger.warning("%s", upgrade.notice(projections, "run"))
                everything = Selection()
                number = runs.start(
                    self._specs, everything, now_millis(), upgrades_to=PROJECTION_VERSION
                )
                logger.warning("replay %d makes them anew", number)
            case "swap":
                runs.swap(self._specs)
            case "offer":
                logger.warning("%s", upgrade.notice(projections, "offer"))
                self.is_over = True
            case "nothing":
                self.is_over = True
            case "wait":
                pass
