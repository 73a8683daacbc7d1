"""A partition has one owner: who is not, cannot write; who does not let go, is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airy_ray.clock import now_millis
from airy_ray.errors import PartitionUnavailableError
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition.partition import open_partition
from tests.cluster.running import BACK_S, Cluster, kill, until_back
from tests.e2e.program import until

HERE = PartitionIndex(1)
CLINGING = """
import fcntl, os, sys, time
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
file.truncate(0)
file.write(str(os.getpid()))
file.flush()
print("mine", flush=True)
time.sleep(600)
"""
"""A process that waits for its turn to own a partition, then does nothing and does not end."""


@contextmanager
def clinging_to(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", CLINGING, lock], stdout=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("index", [PartitionIndex(0), HERE, REGISTRY])
def test_every_partition_is_owned_by_a_process_of_its_own(
    index: PartitionIndex, cluster: Cluster
) -> None:
    owners = {spec.index: cluster.owner(spec.index) for spec in cluster.machine.partitions}

    assert owners[index] is not None
    assert len(set(owners.values())) == len(owners)
    assert os.getpid() not in owners.values()


def test_nobody_else_can_take_a_partition_that_is_owned(cluster: Cluster) -> None:
    with pytest.raises(PartitionUnavailableError):
        open_partition(cluster.machine.partition(HERE), now_millis())


def test_an_owner_that_does_not_let_go_is_killed_by_the_next(cluster: Cluster) -> None:
    lock = cluster.machine.partition(HERE).directory / "owner.lock"
    with clinging_to(lock) as process:
        killed = kill(lambda: cluster.owner(HERE))
        until(lambda: cluster.owner(HERE) == process.pid, BACK_S)
        assert process.wait(BACK_S) == -9
        until_back(lambda: cluster.owner(HERE), killed)

    assert cluster.owner(HERE) not in (None, killed, process.pid)
