"""Instants, ages and sizes as people read and write them."""

import pytest

from airy_ray.cli.units import age, instant, parsed_instant, ranges, size
from airy_ray.errors import ConfigError
from tests.builders import NOW


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        pytest.param("2025-11-21", (NOW - 8 * 3_600_000) * 1_000, id="day"),
        pytest.param("2025-11-21T08:00", NOW * 1_000, id="minute, in UTC"),
        pytest.param("2025-11-21T08:00:00Z", NOW * 1_000, id="UTC"),
        pytest.param("2025-11-21T09:30:00+01:30", NOW * 1_000, id="another zone"),
        pytest.param("2025-11-21 08:00:00.000001", NOW * 1_000 + 1, id="microseconds"),
        pytest.param("90s", NOW * 1_000 - 90_000_000, id="seconds ago"),
        pytest.param("30m", NOW * 1_000 - 1_800_000_000, id="minutes ago"),
        pytest.param("2h", NOW * 1_000 - 7_200_000_000, id="hours ago"),
        pytest.param("7d", NOW * 1_000 - 7 * 86_400_000_000, id="days ago"),
    ],
)
def test_an_instant_is_understood_as_people_write_it(text: str, micros: int) -> None:
    assert parsed_instant("--since", text, NOW) == micros


@pytest.mark.parametrize("text", ["", "now", "2h30m", "-2h", "21.11.2025", "1w", "9" * 40 + "d"])
def test_what_is_no_instant_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--since: expected a time such as 2026-"):
        parsed_instant("--since", text, NOW)


def test_what_is_shown_can_be_asked_for() -> None:
    assert parsed_instant("--since", instant(NOW + 7), NOW) == (NOW + 7) * 1_000


@pytest.mark.parametrize(
    ("length", "told"),
    [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (2 << 40, "2.0 TiB")],
)
def test_a_size_is_told_in_a_unit_that_keeps_it_short(length: int, told: str) -> None:
    assert size(length) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 m"),
        (3_725, "1 h 2 m"),
        (86_400 * 3 + 61, "3 d 1 m"),
    ],
)
def test_an_age_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert age(seconds) == told


@pytest.mark.parametrize(
    ("offsets", "told"),
    [
        ([], ""),
        ([(4, 4)], "4"),
        ([(4, 4), (7, 9)], "4, 7-9"),
        ([(each, each) for each in range(7)], "0, 1, 2, 3, 4 and 2 more"),
    ],
)
def test_of_ranges_the_first_are_told(offsets: list[tuple[int, int]], told: str) -> None:
    assert ranges(offsets) == told
