"""Version and heart-beats are settled as both sides can."""

import pytest

from airy_ray.errors import ProtocolError
from airy_ray.stomp.negotiation import HeartBeats, settled_beats, settled_version, told_beats


@pytest.mark.parametrize(
    ("accepted", "version"),
    [("1.2,1.1,1.0", "1.2"), ("1.0, 1.1", "1.1"), ("1.0,9.9", "1.0"), (None, "1.0")],
)
def test_the_newest_common_version_is_spoken(accepted: str | None, version: str) -> None:
    assert settled_version(accepted) == version


@pytest.mark.parametrize("accepted", ["", "2.0", "1.2.1"])
def test_without_a_common_version_nothing_is_spoken(accepted: str) -> None:
    with pytest.raises(ProtocolError):
        settled_version(accepted)


@pytest.mark.parametrize(
    ("theirs", "beats"),
    [
        pytest.param("10000,10000", (30_000, 30_000), id="the slower of both"),
        pytest.param("60000,40000", (40_000, 60_000), id="each direction by itself"),
        pytest.param("0,10000", (30_000, 0), id="they never send"),
        pytest.param("10000,0", (0, 30_000), id="they never listen"),
        pytest.param(None, (0, 0), id="not told"),
    ],
)
def test_beats_are_as_both_sides_can(theirs: str | None, beats: tuple[int, int]) -> None:
    assert settled_beats(HeartBeats(30_000, 30_000), told_beats(theirs)) == beats


@pytest.mark.parametrize("header", ["", "1", "1,2,3", "-1,0", "a,b", "1" * 10 + ",0", "²,1"])
def test_beats_have_to_be_two_numbers(header: str) -> None:
    with pytest.raises(ProtocolError):
        told_beats(header)
