"""Positions are read as they were written, and those of somebody else are none of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import ProtocolError
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.serve.realtime.positions import Positions

ZERO, ONE = PartitionIndex(0), PartitionIndex(1)
POSITIONS = Positions("c0ffee", [ZERO, ONE, REGISTRY])


@given(st.tuples(*[st.integers(0, 1 << 63)] * 3))
def test_what_is_written_is_read(places: tuple[int, int, int]) -> None:
    told = dict(zip([ZERO, ONE, REGISTRY], places, strict=True))

    assert POSITIONS.places(POSITIONS.all(told)) == told


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("c0ffee.0.1,c0ffee.1.1", id="one partition is missing"),
        pytest.param("c0ffee.0.1,c0ffee.1.1,c0ffee.7.1", id="a partition that is none"),
        pytest.param("bad.0.1,bad.1.1,bad.65535.1", id="of another history"),
        pytest.param("c0ffee.0.1,bad.1.1,c0ffee.65535.1", id="in part of another history"),
    ],
)
def test_nobody_goes_on_from_positions_that_are_not_whole_and_ours(told: str) -> None:
    assert POSITIONS.places(told) is None


@pytest.mark.parametrize(
    "told", ["", "x", "a.b", "c0ffee.0.-1", "c0ffee.0.²", "c0ffee.0." + "1" * 21]
)
def test_what_is_no_position_is_refused(told: str) -> None:
    with pytest.raises(ProtocolError):
        POSITIONS.places(told)
