"""What a log says of a person: all of it, and nothing of what it says of others."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model.ids import format_id
from airy_ray.partition.person import said_of
from airy_ray.partition.spec import PartitionSpec
from airy_ray.partition.upkeep import Caretaker
from tests.builders import NOW
from tests.erasing import EVA, EVAS, EVAS_CONTACT, MARK, carry_out, erasure, log_of, traffic
from tests.log_builders import BUSY, append, owned, settle, spec


@pytest.fixture
def own(tmp_path: Path) -> PartitionSpec:
    """A partition some of whose log is archived."""
    partition = spec(tmp_path, upkeep=BUSY)
    with owned(partition) as opened:
        for _ in range(2):
            append(partition.directory, traffic(40))
            settle(opened)
            Caretaker(opened, Millis(0)).seal(Millis(NOW))
    return partition


def said(own: PartitionSpec) -> list[Any]:
    return [json.loads(line) for line in said_of(own, [EVAS], [EVAS_CONTACT])]


def test_every_record_that_names_the_person_is_told(own: PartitionSpec) -> None:
    named = [offset for offset, record in enumerate(log_of(own)) if _names(record.body)]

    assert [each["offset"] for each in said(own)] == named


def test_nothing_is_told_of_others(own: PartitionSpec) -> None:
    for each in said(own):
        assert b"of bob" not in body_of(each)
        assert b"of ada" not in body_of(each)


def test_a_body_of_one_person_is_told_as_it_came(own: PartitionSpec) -> None:
    log = log_of(own)
    alone = [each for each in said(own) if log[each["offset"]].routes[1:] == ()]

    assert alone
    assert all(body_of(each) == log[each["offset"]].body for each in alone)


def test_nothing_is_told_of_who_was_erased(own: PartitionSpec) -> None:
    with owned(own) as opened:
        append(own.directory, [erasure(NOW + 10**6)])
        settle(opened, NOW + 10**6)
        carry_out(opened, NOW + 10**7)

        assert said(own) == []


def test_a_partition_that_has_not_begun_says_nothing(tmp_path: Path) -> None:
    assert list(said_of(spec(tmp_path / "nothing"), [EVAS], [])) == []


def body_of(told: dict[str, Any]) -> bytes:
    if "body" in told:
        return str(told["body"]).encode()
    return b64decode(told["body_base64"])


def _names(body: bytes) -> bool:
    return any(mark in body for mark in (EVA.encode(), MARK.encode(), format_id(EVAS).encode()))
