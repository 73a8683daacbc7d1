from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.ids import ContactId
from airy_ray.projections import keys
from tests import builders

LMDB_KEY_MAX = 511
ADA = builders.conversation_id()
any_text = st.text(st.characters(exclude_categories=()), max_size=300)
instants = st.integers(-(2**62), 2**62)


@given(one=instants, other=instants)
def test_conversations_sort_newest_first(one: int, other: int) -> None:
    is_first = keys.by_time(Millis(one), ADA) < keys.by_time(Millis(other), ADA)

    assert is_first == (one > other)


@given(one=instants, other=instants)
def test_timers_sort_by_when_they_are_due(one: int, other: int) -> None:
    is_first = keys.timer(Millis(one), b"x") < keys.timer(Millis(other), b"x")

    assert is_first == (one < other)


@given(at=instants)
def test_an_instant_reads_back_from_its_key(at: int) -> None:
    assert keys.instant_of(keys.instant(Millis(at))) == at


@given(text=any_text)
def test_a_part_of_a_key_fits_whatever_it_says(text: str) -> None:
    assert len(keys.metadata("conversation", ADA, text)) <= LMDB_KEY_MAX
    assert len(keys.contact_name(text, ContactId(ADA))) <= LMDB_KEY_MAX


@given(one=any_text, other=any_text)
def test_different_texts_are_different_parts(one: str, other: str) -> None:
    assert (keys.bounded(one) == keys.bounded(other)) == (one == other)


@pytest.mark.parametrize(("length", "is_shortened"), [(200, False), (201, True)])
def test_a_part_over_200_bytes_is_shortened(length: int, is_shortened: bool) -> None:
    assert keys.is_shortened("k" * length) is is_shortened
    assert (len(keys.bounded("k" * length)) < length) is is_shortened


def test_texts_that_begin_alike_stay_apart_when_shortened() -> None:
    assert keys.bounded("k" * 300 + "a") != keys.bounded("k" * 300 + "b")


def test_a_record_has_room_for_65536_changes() -> None:
    assert all(
        keys.sequence(after) - keys.sequence(offset) == 65_536
        for offset, after in pairwise(range(5))
    )


def test_contacts_without_a_name_come_last() -> None:
    nameless = keys.contact_name(None, ContactId(ADA))

    assert keys.contact_name("\U0010ffff" * 10, ContactId(ADA)) < nameless


def test_an_alias_is_not_that_of_another_source_or_kind() -> None:
    found = {keys.alias("a", "b", "c"), keys.alias("a", "bc", ""), keys.alias("ab", "", "c")}

    assert len(found) == 3
