"""An owner that kills itself when it is about to do a certain thing, in a process of its own."""

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from typing import Any

from airy_ray.partition import generations
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.replay import replayer
from airy_ray.replay.order import Order, Report, write_report
from tests.log_builders import owned
from tests.replaying import replayed

_FORKS = get_context("forkserver")


def killed_before(step: str, own: PartitionSpec, order: Order, until: str) -> None:
    """Have an owner carry out an order, who is killed before a step: a phase that is told, or
    `takes over`, or `tells`.
    """
    process = _FORKS.Process(target=_live, args=(step, own, order, until))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"it ended with {process.exitcode}"


def _live(step: str, own: PartitionSpec, order: Order, until: str) -> None:
    def dying(really: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            os.kill(os.getpid(), signal.SIGKILL)
            return really(*args)

        return call

    def telling(directory: Any, report: Report) -> None:
        if report.phase == step:
            os.kill(os.getpid(), signal.SIGKILL)
        write_report(directory, report)

    with owned(own) as partition:
        if step == "takes over":
            generations.set_live = dying(generations.set_live)
        elif step == "tells":
            LogTail.append = dying(LogTail.append)  # type: ignore[method-assign]
        else:
            setattr(replayer, "write_report", telling)  # noqa: B010 - not exported
        replayed(partition, order, until=until)


def dies(*_: object) -> Iterator[None]:
    """Kill the child that does this."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield


def server_dies(*_: object) -> Iterator[None]:
    """Kill the server that children are forked from, and with it the child that does this."""
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()
    yield
