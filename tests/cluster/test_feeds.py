"""Who follows a feed hears of every change once and in order, whatever happens to its owner."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.machine import Machine
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.reader import PartitionReader
from airy_ray.projections import keys
from airy_ray.projections.view import Change
from airy_ray.rawlog.tail import LogTail
from tests.cluster.running import BACK_S, Cluster, kill, until_back
from tests.cluster.traffic import traffic
from tests.e2e.client import Client
from tests.e2e.program import until

INDEX = PartitionIndex(0)

Heard = list[tuple[int, Change]]


@contextmanager
def following(cluster: Cluster) -> Iterator[tuple[Heard, list[int]]]:
    """Follow a partition's feed from its beginning, on a thread with a loop of its own."""
    heard: Heard = []
    places = [0]
    stop = threading.Event()

    async def follow() -> None:
        machine = Machine(cluster.machine)
        feeds = Feeds(cluster.machine.partitions, machine.partitions, cluster.machine.run_directory)
        try:
            async for page in feeds.pages(INDEX, 0):
                assert page.is_whole
                heard.extend(page.changes)
                places.append(page.place)
                if stop.is_set():
                    return
        finally:
            feeds.close()
            machine.close()

    thread = threading.Thread(target=lambda: asyncio.run(follow()))
    thread.start()
    try:
        yield heard, places
    finally:
        stop.set()
        with traffic_to_wake(cluster):
            thread.join(BACK_S)
        assert not thread.is_alive()


@contextmanager
def traffic_to_wake(cluster: Cluster) -> Iterator[None]:
    """Have something written, for nobody hears anything where nothing changes."""
    with Client(cluster.url) as client, traffic(client):
        yield


def stored(cluster: Cluster) -> tuple[Heard, int]:
    """Return the partition's whole feed as it is now, and the place behind it."""
    tail = LogTail(cluster.machine.partition(INDEX).directory, is_read_only=True)
    reader = PartitionReader(tail)
    try:
        with reader.read() as view:
            return list(view.feed(0)), keys.sequence(view.applied())
    finally:
        reader.close()
        tail.close()


def test_a_follower_hears_all_once_and_in_order_while_the_owner_is_killed(
    cluster: Cluster,
) -> None:
    with following(cluster) as (heard, places), Client(cluster.url) as client:
        with traffic(client):
            for _ in range(2):
                killed = kill(lambda: cluster.owner(INDEX))
                until_back(lambda: cluster.owner(INDEX), killed)
        until(lambda: places[-1] >= stored(cluster)[1], BACK_S)
        feed, _ = stored(cluster)

        assert heard[: len(feed)] == feed
        assert places == sorted(set(places))
