"""A machine's partitions and registry with their owners at work, on threads and without Ray."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from airy_ray.cluster.log_delivery import LogDelivery, LogTails
from airy_ray.cluster.machine import MachineSpec
from airy_ray.cluster.owner import Owner
from airy_ray.model.ids import REGISTRY
from airy_ray.partition.routing import ChannelLookup
from tests.log_builders import spec
from tests.unit.cluster.test_owner import LONG_S, until


@contextmanager
def owned_machine(directory: Path, count: int, channels: ChannelLookup) -> Iterator[MachineSpec]:
    """Run the owners of some partitions and of the registry, who tell one another."""
    run_directory = directory / "partitions"
    specs = [spec(directory, index=index, count=count) for index in (*range(count), REGISTRY)]
    made = MachineSpec(specs, run_directory, LONG_S, 100)
    with ExitStack() as stack:
        for each in specs:
            each.directory.mkdir(parents=True)
        for each in specs:
            tails = stack.enter_context(closing(LogTails(made)))
            delivery = stack.enter_context(closing(LogDelivery(made, tails)))
            owner = Owner(
                each,
                run_directory,
                channels=channels,
                aliases=lambda _: None,
                deliver=delivery.deliver,
            )
            owner.start()
            stack.callback(owner.stop)
            until(lambda owner=owner: owner.partition)  # type: ignore[misc]
        yield made
