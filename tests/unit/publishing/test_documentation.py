"""docs/webhooks.md tells what webhooks do."""

from pathlib import Path

from airy_ray.config import Settings
from airy_ray.publishing.schedule import DELAYS_S, GONE, JITTER

TEXT = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
_UNITS = ((3_600, "h"), (60, "min"), (1, "s"))


def spoken(seconds: int) -> str:
    """Return a duration as people write it."""
    return next(f"{seconds // unit} {name}" for unit, name in _UNITS if seconds % unit == 0)


def test_when_what_failed_is_tried_again_is_as_the_page_says() -> None:
    *first, last = map(spoken, DELAYS_S)

    assert f"again after {', '.join(first)} and {last}, give or take a fifth" in TEXT
    assert (JITTER, GONE, len(DELAYS_S) + 1) == (0.2, 410, 10)


def test_how_long_later_events_wait_is_as_the_page_says() -> None:
    assert "`webhooks.hold_s` (an hour)" in TEXT
    assert Settings().webhooks.hold_s == 3_600
