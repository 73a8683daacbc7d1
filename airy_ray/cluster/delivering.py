"""The process in which a machine's courier and publisher run, and bots are asked.

It is the supervisor's: a process of its own and no actor, for it takes half the memory, and needs
nothing of Ray.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.bots import CONSUMER
from airy_ray.cluster.child_process import ChildProcess, alone, is_over, received
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.feed_places import forget_others
from airy_ray.cluster.feeds import Feeds
from airy_ray.cluster.logs import log_to_stderr
from airy_ray.cluster.our_files import OurFiles
from airy_ray.cluster.registry import Registry
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.cluster.thread_appender import ThreadAppender
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition.spec import PartitionSpec

_LOOK_S = 0.1
_STOP_S = 4.0
"""How long calls that are under way may take in the end; what they came to would be uncertain."""


class DeliveringProcess(ChildProcess):
    """The process as the supervisor holds it."""

    def __init__(self, specs: Sequence[PartitionSpec], run_directory: Path, duties: Duties) -> None:
        super().__init__(__name__)
        partitions = [
            (each.index, each.count, str(each.directory), str(each.archive), str(each.answers))
            for each in specs
        ]
        setup = _Setup(str(run_directory), partitions, duties)
        self.socket.sendall(msgspec.msgpack.encode(setup))
        self.socket.shutdown(socket.SHUT_WR)


class _Setup(msgspec.Struct, array_like=True):
    run_directory: str
    partitions: Sequence[tuple[int, int, str, str, str]]
    duties: Duties


class _Work(NamedTuple):
    """What all duties are done with."""

    accesses: Mapping[PartitionIndex, LocalAccess]
    appender: ThreadAppender
    registry: Registry
    feeds: Feeds


def main(descriptor: int) -> None:
    """Deliver until the supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    log_to_stderr()
    with socket.socket(fileno=descriptor) as connection:
        setup = msgspec.msgpack.decode(received(connection), type=_Setup)
        with alone(Path(setup.run_directory) / "courier.lock", connection):
            asyncio.run(_deliver(setup, connection))


async def _deliver(setup: _Setup, connection: socket.socket) -> None:
    from airy_ray.cluster.courier import Courier  # loads what the supervisor does without

    run_directory = Path(setup.run_directory)
    specs = [
        PartitionSpec(PartitionIndex(index), count, Path(directory), Path(archive), Path(answers))
        for index, count, directory, archive, answers in setup.partitions
    ]
    appender = ThreadAppender(specs, run_directory)
    waiters = AppliedWaiters(run_directory)
    searches = SharedHops()
    accesses = {
        spec.index: LocalAccess(spec, appender, waiters, searches, run_directory) for spec in specs
    }
    feeds = Feeds(specs, accesses, run_directory)
    bots = [CONSUMER + each.name for each in setup.duties.bots]
    for spec in specs:
        forget_others(spec.directory, CONSUMER, bots)
    work = _Work(accesses, appender, Registry(accesses[REGISTRY].reader), feeds)
    courier = Courier(
        *work, setup.duties.sendings, OurFiles(setup.duties.files), setup.duties.fetching
    )
    running = asyncio.create_task(courier.run())
    beside = [asyncio.create_task(each) for each in _beside(setup.duties, work)]
    gc.freeze()
    over = asyncio.get_running_loop().create_future()
    _look(connection, over)
    await asyncio.wait([running, over], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running  # it only ends by an error: the supervisor starts another process
    for each in beside:  # what they have begun is seen to by the next ones
        each.cancel()
    await asyncio.gather(courier.stop(_STOP_S), *beside, return_exceptions=True)


def _beside(duties: Duties, work: _Work) -> Iterator[Coroutine[Any, Any, None]]:
    """Begin what is wished beside sending; it goes on until cancelled, and loads what it needs."""
    if duties.joins_numbers:
        from airy_ray.cluster.number_joining import NumberJoining

        yield NumberJoining(*work).run()
    if duties.fetching is not None:
        from airy_ray.cluster.fetching import fetch

        yield fetch(duties.fetching, work.accesses, work.appender, work.registry)
    if duties.bots:
        from airy_ray.cluster.answering import answer

        yield answer(duties.bots, work.accesses, work.appender, work.feeds, within_s=_STOP_S)
    if duties.backfilling is not None:
        from airy_ray.cluster.backfilling import backfill

        yield backfill(duties.backfilling, work.accesses, work.appender, work.registry)
    if duties.calling is not None:
        from airy_ray.cluster.publisher import Publisher

        yield Publisher(*work, duties.calling).run()


def _look(connection: socket.socket, over: asyncio.Future[None]) -> None:
    """Settle a future once the supervisor is gone."""
    if is_over(connection, 0):
        over.set_result(None)
    else:
        asyncio.get_running_loop().call_later(_LOOK_S, _look, connection, over)


if __name__ == "__main__":
    main(int(sys.argv[1]))
