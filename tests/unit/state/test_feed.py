"""A consumer of the change feed hears all of it, in order, or is told that something is gone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airy_ray.clock import Millis
from airy_ray.partition.partition import Partition
from airy_ray.projections import keys
from airy_ray.state.expiry import Cutoffs, expire
from airy_ray.state.feed import FeedPage, read_feed
from airy_ray.state.queries import reading
from tests.log_builders import NOW, append, owned, settle, spec, webhooks

NEVER = Cutoffs(*[Millis(0)] * 6)
COUNT = 20


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """One message a millisecond."""
    own = spec(tmp_path)
    append(own.directory, webhooks(COUNT))
    with owned(own) as opened:
        settle(opened)
        yield opened


def page(
    partition: Partition, place: int, limit: int = 1_000, max_bytes: int = 1 << 20
) -> FeedPage:
    with reading(partition.state.environment) as view:
        return read_feed(view, place, limit, max_bytes)


def test_pages_of_any_size_are_the_whole_feed(partition: Partition) -> None:
    whole = page(partition, 0)
    found, place, has_more = [], 0, True
    while has_more:
        changes, place, has_more, _ = page(partition, place, 3)
        found += changes

    assert (found, place) == (whole.changes, whole.place)
    assert sum(change.kind == "message.created" for _, change in found) == COUNT


def test_a_page_has_few_bytes_or_one_change(partition: Partition) -> None:
    first = page(partition, 0, max_bytes=1)

    assert (len(first.changes), first.has_more) == (1, True)
    assert first.place == first.changes[0][0] + 1


def test_who_has_read_all_stands_where_the_next_record_is_told(partition: Partition) -> None:
    assert page(partition, 0).place == keys.sequence(COUNT)
    assert page(partition, keys.sequence(COUNT)) == ([], keys.sequence(COUNT), False, True)


@pytest.mark.parametrize(("behind", "is_whole"), [(0, True), (1, False)])
def test_who_stands_before_what_went_by_age_is_told(
    behind: int, is_whole: bool, partition: Partition
) -> None:
    expire(partition.state, replace(NEVER, changes=Millis(NOW + 5)), forwarded=0)

    assert page(partition, keys.sequence(5) - behind).is_whole is is_whole


def test_who_has_read_all_misses_nothing_when_all_of_it_goes(partition: Partition) -> None:
    place = page(partition, 0).place
    expire(partition.state, replace(NEVER, changes=Millis(NOW + 10 * COUNT)), forwarded=0)

    assert page(partition, place).is_whole
    assert page(partition, 0).changes == []
