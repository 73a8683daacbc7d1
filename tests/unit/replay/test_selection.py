"""A selection that can select nothing says why, so that nobody takes it for a past without bugs."""

import pytest

from airy_ray.clock import Millis
from airy_ray.model.ids import ChannelId
from airy_ray.replay.selection import Selection, obstacle_to
from tests.builders import NOW

PAGE, BOT = ChannelId(b"p" * 16), ChannelId(b"b" * 16)
CHANNELS = {PAGE: "facebook", BOT: "telegram"}
LATER = Millis(NOW + 1)


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        pytest.param(Selection(sources=("facebok",)), "only of facebook, telegram", id="source"),
        pytest.param(Selection(channels=(ChannelId(b"x" * 16),)), "a channel 78787878", id="none"),
        pytest.param(
            Selection(sources=("telegram",), channels=(PAGE,)), "is of facebook", id="of another"
        ),
        pytest.param(Selection(since=LATER, until=LATER), "is not after", id="empty time"),
    ],
)
def test_what_selects_nothing_says_why(selection: Selection, told: str) -> None:
    assert told in (obstacle_to(selection, CHANNELS) or "")


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(sources=("facebook", "telegram"), channels=(PAGE, BOT)),
        Selection(since=NOW, until=LATER, is_quarantined=True),
    ],
)
def test_what_may_select_something_is_not_stopped(selection: Selection) -> None:
    assert obstacle_to(selection, CHANNELS) is None


def test_where_no_channel_ever_was_no_source_has_conversations() -> None:
    assert "there never was a channel" in (obstacle_to(Selection(sources=("viber",)), {}) or "")
