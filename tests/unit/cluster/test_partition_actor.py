"""The class of the actor, without Ray: it owns its partition whatever state the logs are in."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.cluster import partition_actor
from airy_ray.cluster.machine import MachineSpec
from airy_ray.cluster.partition_actor import PartitionActor
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.rawlog.tail import path_of
from tests.log_builders import project, spec, webhooks

LONG_S = 30.0
PAGE = 4_096


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineSpec:
    """Two partitions and the registry."""
    monkeypatch.setattr(partition_actor, "log_to_stderr", lambda: None)
    partitions = [spec(tmp_path, index=index, count=2) for index in range(2)]
    registry = replace(partitions[0], index=REGISTRY, directory=tmp_path / "registry")
    return MachineSpec([*partitions, registry], tmp_path, LONG_S, 100)


@contextmanager
def running(machine: MachineSpec, index: PartitionIndex) -> Iterator[PartitionActor]:
    actor = PartitionActor(index, machine)
    try:
        yield actor
    finally:
        asyncio.run(actor.stop())


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_owner(actor: PartitionActor) -> bool:
    return asyncio.run(actor.status()).is_owner


@pytest.mark.parametrize("damaged", [0, 1], ids=["its own", "another's"])
def test_a_log_that_cannot_be_opened_keeps_nobody_from_owning_a_partition(
    machine: MachineSpec, damaged: int
) -> None:
    for own in machine.partitions[:2]:
        project(own, webhooks(20))
    file = path_of(machine.partitions[damaged].directory, 1) / "data.mdb"
    content = file.read_bytes()
    file.write_bytes(content[: 2 * PAGE] + bytes(len(content) - 2 * PAGE))

    with running(machine, PartitionIndex(0)) as actor:
        until(lambda: is_owner(actor))


def test_the_registry_too_is_owned_when_its_log_cannot_be_opened(machine: MachineSpec) -> None:
    own = machine.partition(REGISTRY)
    project(own, [])
    file = path_of(own.directory, 1) / "data.mdb"
    file.write_bytes(bytes(file.stat().st_size))

    with running(machine, REGISTRY) as actor:
        until(lambda: is_owner(actor))
