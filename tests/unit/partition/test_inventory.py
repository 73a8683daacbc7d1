"""Which generations there are, and what each says of where it comes from."""

from contextlib import closing
from pathlib import Path
from typing import Any

from airy_ray.partition import generations
from airy_ray.partition.inventory import Inventory, inventories, told
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.replay.order import Order
from airy_ray.replay.selection import Selection
from airy_ray.state.tables import PROJECTION_VERSION
from tests.builders import NOW
from tests.erasing import carry_out, erasure, traffic
from tests.log_builders import owned, prepared, project, settle, spec, webhooks
from tests.replaying import replayed, rest


def present(own: PartitionSpec) -> dict[str, Any]:
    (partition,) = told(inventories([own]))["partitions"]
    shown: dict[str, Any] = partition["present"]
    return shown


def test_what_is_folded_as_it_comes_says_so(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(0))
    project(own, webhooks(10))

    shown = present(own)

    assert (shown["generation"], shown["projection"]) == (1, PROJECTION_VERSION)
    assert (shown["applied"], shown["origin"]["until"]) == (10, 0)
    assert shown["origin"]["kind"] == "live"
    assert shown["origin"]["release"] == "0.1.0"


def test_what_was_in_doubt_is_known_as_repaired(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    with owned(own) as partition:
        partition.rebuild()
        settle(partition)

    origin = present(own)["origin"]

    assert (origin["kind"], origin["until"]) == ("repair", 10)


def test_a_replay_says_what_it_took_and_what_was_before_is_kept(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    with owned(own) as partition:
        order = Order(3, "swap", Selection(sources=("facebook",), since=NOW))
        replayed(partition, order, until="swapped")

        (found,) = told(inventories([own]))["partitions"]

    origin = found["present"]["origin"]
    assert (origin["kind"], origin["run"], origin["until"]) == ("replay", 3, 10)
    assert origin["selection"] == {"sources": ["facebook"], "since": "2025-11-21T08:00:00.000Z"}
    assert [each["origin"]["kind"] for each in found["former"]] == ["live"]


def test_what_an_erasure_left_says_so(tmp_path: Path) -> None:
    own = spec(tmp_path)
    with owned(own) as partition:
        partition.tail.append(prepared(traffic(20)))
        rest(partition, NOW + 100_000)
        partition.tail.append(prepared([erasure(NOW + 100_000)]))
        rest(partition, NOW + 100_000)
        carry_out(partition, NOW + 160_000)

    assert present(own)["origin"]["kind"] == "erasure"


def test_a_log_out_of_a_backup_is_known(tmp_path: Path) -> None:
    own = spec(tmp_path)
    project(own, webhooks(10))
    with closing(LogTail(own.directory)) as tail:
        generations.begin_anew(tail)

    assert inventories([own]) == [Inventory(own.name)]
    with owned(own) as partition:
        settle(partition)
    assert present(own)["origin"]["kind"] == "restore"


def test_of_what_is_damaged_nothing_is_told(tmp_path: Path) -> None:
    own, missing = spec(tmp_path), spec(tmp_path, index=1)
    project(own, webhooks(10))
    file = own.directory / "state.g1" / "data.mdb"
    file.write_bytes(file.read_bytes()[: 3 * 4096])

    assert inventories([own, missing]) == [Inventory(own.name), Inventory(missing.name)]
