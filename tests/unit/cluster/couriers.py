"""A courier in the process of a test, for sources and paces of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.courier import Courier
from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.our_files import OurFiles
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.sendings import Sendings
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.cluster.thread_appender import ThreadAppender
from airy_ray.model.ids import REGISTRY
from airy_ray.partition.spec import PartitionSpec
from airy_ray.sources.sending import Sending


def deliver_until(
    is_done: Callable[[], bool],
    specs: Sequence[PartitionSpec],
    sendings: Mapping[str, Sending],
    *,
    within_s: float,
    files: StoreSpec | None = None,
    fetching: FetchingSpec | None = None,
) -> None:
    """Run a courier until something is done; `files` are what messages may link to."""
    run_directory = specs[0].directory.parent

    async def main() -> None:
        appender = ThreadAppender(specs, run_directory)
        waiters = AppliedWaiters(run_directory)
        accesses = {
            each.index: LocalAccess(each, appender, waiters, SharedHops(), run_directory)
            for each in specs
        }
        feeds = Feeds(specs, accesses, run_directory)
        registry = Registry(accesses[REGISTRY].reader)
        courier = Courier(
            accesses, appender, registry, feeds, cast(Sendings, sendings), OurFiles(files), fetching
        )
        running = asyncio.create_task(courier.run())
        async with asyncio.timeout(within_s):
            await until_done(is_done)
        running.cancel()
        await asyncio.wait([running])
        await courier.stop(1.0)
        feeds.close()
        for each in accesses.values():
            each.close()
        waiters.close()
        appender.close()

    asyncio.run(main())


async def until_done(is_done: Callable[[], bool]) -> None:
    """Wait until something is done."""
    while True:
        if is_done():
            return
        await asyncio.sleep(0.01)
